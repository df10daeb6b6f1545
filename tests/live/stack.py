"""Runs the real stack for tests, as `./dev up` does for people; must touch it only over HTTP and by signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0

T = TypeVar("T")

# A lease of seconds, so that a killed worker's event is taken over while a test waits.
QUICK = {
    "OFFLOAD_LEASE_SECONDS": "3",
    "OFFLOAD_HEARTBEAT_SECONDS": "1",
    "OFFLOAD_SWEEP_SECONDS": "1",
    "OFFLOAD_FOLLOW_UP_SWEEP_SECONDS": "1",
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

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.log = directory / "up.log"
        command = [
            str(ROOT / "dev"),
            "up",
            "--var",
            str(directory),
            "--port",
            "0",
            "--sandbox-port",
            "0",
            "--restart",
            "--temporary",
        ]
        env = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        env |= QUICK | settings
        with self.log.open("wb") as log:
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
        return self.log.read_text(encoding="utf-8", errors="replace")

    def read_setting(self, name: str) -> str:
        """Returns one setting that the stack's processes run with."""
        lines = (self.directory / "dev.env").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)[name]

    def stop(self) -> int:
        """Ends everything as Ctrl-C does; returns the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=60)

    def kill(self, name: str) -> None:
        """Ends one process without a word; returns once its successor answers."""
        self.restart(name, signal.SIGKILL)

    def restart(self, name: str, number: signal.Signals) -> None:
        """Ends one process by a signal; returns once its successor answers."""
        killed = self.description["pids"][name]
        os.kill(killed, number)

        def find_successor() -> dict[str, Any] | None:
            description = self._read_description()
            return description if description and description["pids"][name] != killed else None

        self.description = wait_for(f"{name} to be started again", find_successor, 90)
        if name == "web":
            wait_for("web to answer", self._connect)

    def _connect(self) -> bool | None:
        try:
            return True if self.call("GET", "/livez")[0] == 200 else None
        except URLError:
            return None

    # -- As a client

    def call(
        self, method: str, path: str, body: object = None, *, key: str = "api_key", base: str = "api"
    ) -> tuple[int, Any]:
        """Returns status and JSON of one request to the API, or to another `base` of the description."""
        url = self.description[base].rstrip("/") + path if path.startswith("/") else self.description[base] + path
        headers = {"content-type": "application/json", "accept": "application/json"}
        if base == "api":
            headers["x-api-key"] = self.description[key]
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(url, data=data, method=method, headers=headers), timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            content = error.read()
            # The sandbox's own failures are pages.
            return error.code, json.loads(content) if base == "api" else content.decode()

    def call_at_once(self, *calls: tuple[str, str, object]) -> list[tuple[int, Any]]:
        """Returns what the calls to the API are answered, all sent at the same time."""
        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(lambda call: self.call(*call), calls))

    def play_demo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `manage.py demo` as a newcomer would, against this stack."""
        settings = (self.directory / "dev.env").read_text(encoding="utf-8").splitlines()
        return subprocess.run(
            [sys.executable, "manage.py", "demo", "--stack", str(self.directory / "dev.json"), *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]} | dict(line.split("=", 1) for line in settings),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

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
        """Maya answers; tried again while the sandbox's database comes back."""

        def send() -> bool | None:
            body = {"thread_id": thread_id, "text": text} | values
            return True if self.call("POST", "/inbound", body, base="sandbox")[0] == 200 else None

        wait_for("the sandbox to take the reply", send, 30)

    def advance(self, case_id: str, hours: float) -> None:
        """Lets so many hours pass for one case."""
        status, answer = self.call("POST", "/advance", {"hours": hours, "caseId": case_id}, base="sandbox")
        assert status == 200, answer

    def play_faults(self, **channels: list[Any]) -> None:
        status, answer = self.call("POST", "/faults", channels, base="sandbox")
        assert status in (200, 201), answer

    def wait_until_played(self, channel: str) -> None:
        def find() -> bool | None:
            _, waiting = self.call("GET", "/faults", base="sandbox")
            return None if waiting[channel] else True

        wait_for(f"the {channel} fault to be met", find)
