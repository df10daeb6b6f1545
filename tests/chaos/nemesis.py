"""Carries out the plan's strikes and faults; must not know a case."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg

from tests.chaos.plan import Blow, FaultOrder, Strike
from tests.chaos.player import call
from tests.live.stack import Stack, wait_for

TARGETS = {
    Blow.KILL_WORKER: "worker",
    Blow.KILL_WEB: "web",
    Blow.KILL_BEAT: "beat",
    Blow.RESTART_DATABASE: "postgres",
    Blow.WIPE_QUEUE: "sqs",
    Blow.STOP_QUEUE: "sqs",
}
REVIVAL_SECONDS = 60.0
# What is due may be due to a queue that is away; then the worker is struck though it did nothing.
LONGEST_WAIT_SECONDS = 15.0


@dataclass
class Nemesis:
    """Strikes by signals, one after the other; faults go to the sandbox at the same time."""

    stack: Stack
    struck: Counter[str] = field(default_factory=Counter)
    _pids: dict[str, int] = field(default_factory=dict)
    # When the worker was struck, and how many events had been done by then.
    _struck_worker_at: float = 0.0
    _done_before: int = 0

    @property
    def sandbox(self) -> str:
        return str(self.stack.description["sandbox"]).rstrip("/")

    def strike_all(self, strikes: tuple[Strike, ...]) -> None:
        """Returns after the last strike, once what it hit runs again."""
        self._struck_worker_at = time.monotonic()
        for strike in strikes:
            name = TARGETS[strike.blow]
            pid = self._find_pid(name)
            if not strike.is_hasty:
                self._wait_until_at_work(name)
            time.sleep(strike.after_s)
            self._strike(strike, name, pid)
        for name in set(TARGETS.values()):
            self._find_pid(name)

    def _strike(self, strike: Strike, name: str, pid: int) -> None:
        if strike.blow is Blow.STOP_QUEUE:
            # Alive and deaf: every connection hangs instead of being refused.
            os.kill(pid, signal.SIGSTOP)
            time.sleep(strike.seconds)
            os.kill(pid, signal.SIGCONT)
        elif strike.blow is Blow.RESTART_DATABASE:
            # "Immediate" shutdown: no client is waited for, and the next start recovers from the log.
            os.kill(pid, signal.SIGQUIT)
        else:
            # The whole group, so that no child answers on. The queue keeps nothing that it did not stop cleanly.
            os.killpg(pid, signal.SIGKILL)
        if strike.blow is not Blow.STOP_QUEUE:
            self._pids[name] = pid
        if name == "worker":
            self._struck_worker_at = time.monotonic()
            self._done_before = max(self._done_before, count_events(self.stack.description["database_url"])[0])
        self.struck[strike.blow] += 1

    def _find_pid(self, name: str) -> int:
        """Returns the process that runs now, waiting for the successor of one that was struck."""

        def find() -> int | None:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                path = self.stack.directory / "dev.json"
                pid = int(json.loads(path.read_text(encoding="utf-8"))["pids"][name])
                return pid if pid != self._pids.get(name) else None
            return None

        return wait_for(f"{name} to be started again", find, REVIVAL_SECONDS)

    def _wait_until_at_work(self, name: str) -> None:
        wait_for(f"{name} to be at work", lambda: self._is_at_work(name) or None, REVIVAL_SECONDS)

    def _is_at_work(self, name: str) -> bool:
        description = self.stack.description
        match name:
            case "worker":
                # Ready is not enough: killed before its first event is done, again and again, it would prove nothing.
                done, due = count_events(description["database_url"])
                has_waited = time.monotonic() > self._struck_worker_at + LONGEST_WAIT_SECONDS
                return done > self._done_before or (done > 0 and due == 0) or has_waited
            case "web":
                return call(f"{description['api']}/livez").status == 200
            case "sqs":
                return call(f"{description['sqs_endpoint']}/_ministack/health").status == 200
            case "postgres":
                return can_connect(description["database_url"])
        return True

    def queue_all(self, faults: tuple[FaultOrder, ...], began: float, is_over: threading.Event) -> None:
        """Hands each fault to the sandbox at its time; again while the sandbox's database is away."""
        for order in faults:
            if is_over.wait(max(0.0, began + order.at_s - time.monotonic())):
                return
            while call(f"{self.sandbox}/faults", {order.channel: [order.fault]}).status != 200:
                if is_over.wait(0.3):
                    return

    def end_faults(self) -> dict[str, list[object]]:
        """Clears what nobody met; returns it by channel."""
        while True:
            waiting = call(f"{self.sandbox}/faults")
            if waiting.status == 200 and call(f"{self.sandbox}/faults", method="DELETE").status == 200:
                return waiting.body
            time.sleep(0.3)


def count_events(database_url: str) -> tuple[int, int]:
    """Returns how many events workers have done, and how many are due; zeros while the database is away."""
    sql = """SELECT count(*) FILTER (WHERE status = 'done' AND attempt > 0),
                    count(*) FILTER (WHERE status = 'running' OR (status = 'ready' AND run_after <= now()))
               FROM cases_caseevent"""
    with contextlib.suppress(psycopg.Error), psycopg.connect(database_url, connect_timeout=2) as connection:
        row = connection.execute(sql).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)
    return 0, 0


def can_connect(database_url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(database_url, connect_timeout=2):
        return True
    return False
