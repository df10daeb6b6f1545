"""The sandbox as a real process on the test's database; for tests that need its sockets, signals and restarts."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from django.db import connection

from tests.agentmail.sandbox.conftest import INBOX, SECRET

ROOT = Path(__file__).resolve().parents[3]
AUTHORIZED = {"Authorization": "Bearer am_test_key"}


class SandboxProcess:
    """`manage.py sandbox` on a free port; ready when the constructor returns."""

    def __init__(self, webhook_url: str, port: int | None = None) -> None:
        self.port = port or _find_free_port()
        self.url = f"http://127.0.0.1:{self.port}/sandbox"
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "sandbox", "--port", str(self.port)],
            cwd=ROOT,
            env=os.environ | self._environment(webhook_url),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        # It prints its address when it serves; an empty line means that it has ended.
        assert self._process.stdout.readline() == f"Sandbox mailbox: {self.url}/\n"

    @property
    def send_url(self) -> str:
        """Where the provider's API takes mail."""
        return f"{self.url}/agentmail/v0/inboxes/{INBOX}/messages/send"

    def send(self, key: str | None = None, timeout: float = 10) -> Any:
        """Returns the response to one mail to Maya; raises what `requests` raises."""
        headers = AUTHORIZED if key is None else AUTHORIZED | {"Idempotency-Key": key}
        body = {"to": "maya@supplier.example", "subject": "W-9", "text": "a"}
        return requests.post(self.send_url, json=body, headers=headers, timeout=timeout)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Returns the JSON of one call of the sandbox's own API."""
        return requests.request(method, f"{self.url}/{path}", json=body, timeout=10).json()

    def stop(self, timeout: float = 10) -> int:
        """Sends SIGTERM and returns the exit code; raises TimeoutExpired when it does not end in time."""
        self._process.terminate()
        return self._process.wait(timeout)

    def kill(self) -> None:
        """Kills the process and its worker as `kill -9` would, all at once."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in [self._process.pid, *map(int, children)]:
            os.kill(pid, signal.SIGKILL)
        self._process.wait(10)

    def close(self) -> None:
        """Ends the process if it still runs."""
        if self._process.poll() is None:
            self.stop()

    def _environment(self, webhook_url: str) -> dict[str, str]:
        database = connection.settings_dict
        user = f"{database['USER']}:{database['PASSWORD']}" if database["PASSWORD"] else database["USER"]
        return {
            "DATABASE_URL": f"postgres://{user}@{database['HOST']}:{database['PORT']}/{database['NAME']}",
            "OFFLOAD_SANDBOX_URL": f"http://127.0.0.1:{self.port}",
            "AGENTMAIL_BASE_URL": f"{self.url}/agentmail/v0",
            "AGENTMAIL_API_KEY": "am_test_key",
            "AGENTMAIL_INBOX_ID": INBOX,
            "AGENTMAIL_WEBHOOK_SECRETS": SECRET,
            "OFFLOAD_SANDBOX_WEBHOOK_URL": webhook_url,
        }


def wait_until(is_done: Callable[[], Any]) -> None:
    """Asks until the answer is true; fails after 20 s. For what a process shows only when it is asked."""
    deadline = time.monotonic() + 20
    while not is_done():
        assert time.monotonic() < deadline, "it never became true"


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
