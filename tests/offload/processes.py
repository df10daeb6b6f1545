"""Starts real worker and beat processes and reads their log; must not know what they are tested for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class CeleryProcess:
    """`celery -A <application> <arguments>`; its log is kept line by line and can be waited for."""

    def __init__(self, application: str, *arguments: str, environment: dict[str, str]) -> None:
        self._changed = threading.Condition()
        self.lines: list[str] = []
        self._has_ended = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", application, *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return "".join(self.lines)

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def wait_for_line(self, text: str, *, times: int = 1, timeout: float = 15) -> None:
        """Returns once so many lines of the log hold the text."""
        with self._changed:
            self._changed.wait_for(lambda: self._count(text) >= times or self._has_ended, timeout)
        assert self._count(text) >= times, f"no {text!r} within {timeout} s in:\n{self.log}"

    def kill(self) -> None:
        """Ends it as a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Asks it to end, insists after 10 s, and returns its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode

    def _count(self, text: str) -> int:
        return sum(text in line for line in self.lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()


class Worker(CeleryProcess):
    """A worker with two threads at the endpoint with this URL; `stock` gives it kombu's own transport."""

    def __init__(self, endpoint_url: str, *, stock: bool = False) -> None:
        environment = {"AWS_ENDPOINT_URL_SQS": endpoint_url}
        if stock:
            environment["STOCK_TRANSPORT"] = "1"
        options = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        arguments = ("worker", "-P", "threads", "-c", "2", *options)
        super().__init__("tests.offload.queue_app", *arguments, environment=environment)


class Beat(CeleryProcess):
    """A beat on the database of the test, at the endpoint with this URL."""

    def __init__(self, endpoint_url: str, database: dict[str, Any]) -> None:
        url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
        environment = {
            "AWS_ENDPOINT_URL_SQS": endpoint_url,
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        }
        super().__init__("tests.offload.beat_app", "beat", environment=environment)
