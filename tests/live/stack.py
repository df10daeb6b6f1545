"""Runs the real stack for tests, as `./dev up` does for people; must touch it only over HTTP and by signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0

T = TypeVar("T")

# A lease of seconds, so that a killed worker's event is taken over while a test waits.
QUICK = {
    "OFFLOAD_LEASE_SECONDS": "3",
    "OFFLOAD_HEARTBEAT_SECONDS": "1",
    "OFFLOAD_SWEEP_SECONDS": "1",
}
# What the surrounding test run set for its own processes must not reach the stack.
OWN = ("OFFLOAD_", "AGENTMAIL_", "AWS_", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")


def wait_for(what: str, find: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """Returns what `find` finds, asked again every 0.1 s; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := find()) is not None:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


class Stack:
    """One running installation in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._log = directory / "up.log"
        command = [str(ROOT / "dev"), "up", "--var", str(directory), "--port", "0", "--sandbox-port", "0", "--survive"]
        env = {name: value for name, value in os.environ.items() if not name.startswith(OWN)} | QUICK
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self.description = wait_for("the stack to be ready", self._read_description, 180)

    def _read_description(self) -> dict[str, Any] | None:
        if self._process.poll() is not None:
            raise AssertionError(f"./dev up ended with {self._process.returncode}:\n{self.read_log()[-4000:]}")
        path = self.directory / "dev.json"
        try:
            description: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return description

    def read_log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> int:
        """Ends everything as Ctrl-C does; returns the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=60)

    def kill(self, name: str) -> None:
        """Ends one process without a word."""
        os.kill(self.description["pids"][name], signal.SIGKILL)
        wait_for(f"{name} to be gone", lambda: True if f"{name} " in self._read_news() else None)

    def _read_news(self) -> str:
        log = self.read_log()
        return log if "--survive" in log else ""

    def restart(self) -> None:
        """Starts again what was killed and waits until it answers."""
        before = self.read_log().count("started again: ")
        self._process.send_signal(signal.SIGUSR1)
        wait_for("the restart", lambda: True if self.read_log().count("started again: ") > before else None, 90)
        self.description = wait_for("the description", self._read_description)

    # -- As a client

    def call(
        self, method: str, path: str, body: object = None, *, key: str = "api_key", base: str = "api"
    ) -> tuple[int, Any]:
        """Returns status and JSON of one request to the API, or to another `base` of the description."""
        url = self.description[base].rstrip("/") + path
        headers = {"content-type": "application/json", "accept": "application/json"}
        if base == "api":
            headers["x-api-key"] = self.description[key]
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(url, data=data, method=method, headers=headers), timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.loads(error.read())

    def open_case(self, **changes: Any) -> str:
        """Opens the W-9 case; `changes` replace members of its body. Returns its id."""
        body = {
            "channel": "EMAIL",
            "goal": {"objective": "Collect a signed W-9 from Maya at Northstar"},
            "counterparty": {"name": "Maya Lindqvist", "address": f"maya-{time.monotonic_ns()}@northstar.example"},
            "senderPersona": {"name": "Ana Reyes", "role": "Accounts Payable", "company": "Acme"},
            "resultSchema": {
                "type": "object",
                "properties": {"legalName": {"type": "string"}, "taxId": {"type": "string"}},
                "required": ["legalName", "taxId"],
            },
            "clientWebhookUrl": self.description["webhook_receiver"],
        } | changes
        status, answer = self.call("POST", "/cases", body)
        assert (status, answer["data"]["status"]) == (201, "CREATED"), answer
        return str(answer["data"]["caseId"])

    def get_case(self, case_id: str) -> dict[str, Any]:
        status, answer = self.call("GET", f"/cases/{case_id}")
        assert status == 200, answer
        case: dict[str, Any] = answer["data"]
        return case

    def wait_for_status(self, case_id: str, *statuses: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        def find() -> dict[str, Any] | None:
            case = self.get_case(case_id)
            return case if case["status"] in statuses else None

        return wait_for(f"case {case_id} to be {' or '.join(statuses)}", find, seconds)

    def list_notices(self, case_id: str) -> list[dict[str, Any]]:
        """Returns the bodies that arrived at the webhook receiver for the case, oldest first."""
        _, answer = self.call("GET", f"?case_id={case_id}", base="webhook_receiver")
        return [received["body"] for received in reversed(answer["received"])]

    def wait_for_notices(self, case_id: str, count: int) -> list[dict[str, Any]]:
        def find() -> list[dict[str, Any]] | None:
            notices = self.list_notices(case_id)
            return notices if len(notices) >= count else None

        return wait_for(f"{count} webhooks of case {case_id}", find)

    # -- As the counterparty and the provider

    def list_sent(self, case_id: str) -> list[dict[str, Any]]:
        """Returns every mail that the provider accepted for the case's counterparty, oldest first."""
        address = self.get_case(case_id)["counterparty"]["address"]
        _, answer = self.call("GET", f"/outbox?to={address}", base="sandbox")
        mails: list[dict[str, Any]] = answer["messages"]
        return mails

    def wait_for_mail(self, case_id: str, count: int = 1) -> dict[str, Any]:
        """Returns the newest mail once the provider has accepted `count` of them."""

        def find() -> dict[str, Any] | None:
            mails = self.list_sent(case_id)
            return mails[-1] if len(mails) >= count else None

        return wait_for(f"mail {count} of case {case_id}", find)

    def reply(self, thread_id: str, text: str, **values: Any) -> None:
        status, answer = self.call("POST", "/inbound", {"thread_id": thread_id, "text": text} | values, base="sandbox")
        assert status in (200, 201), answer

    def play_faults(self, **channels: list[Any]) -> None:
        status, answer = self.call("POST", "/faults", channels, base="sandbox")
        assert status in (200, 201), answer

    def wait_until_played(self, channel: str) -> None:
        def find() -> bool | None:
            _, waiting = self.call("GET", "/faults", base="sandbox")
            return None if waiting[channel] else True

        wait_for(f"the {channel} fault to be met", find)
