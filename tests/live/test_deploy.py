"""A deployment as clients and cases see it: what runs is finished, what is new is served, and nothing happens twice."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.live.stack import Stack, wait_for

pytestmark = pytest.mark.live

CASE = {
    "channel": "EMAIL",
    "goal": {"objective": "Collect a signed W-9 from Maya at Northstar"},
    "counterparty": {"name": "Maya Lindqvist", "address": "maya@northstar.example"},
    "senderPersona": {"name": "Ana Reyes"},
}


@dataclass
class Stream:
    """Clients that open one case after the other; each outcome is a status, or the name of what broke the call."""

    stack: Stack
    is_kept_alive: bool
    outcomes: list[tuple[str, int | str]] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        place = urlsplit(self.stack.description["api"])
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        while not self.is_over.is_set():
            key = str(uuid.uuid4())
            try:
                self.outcomes.append((key, self._post(connection, key)))
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.outcomes.append((key, type(error).__name__))
            # Faster clients would only leave the worker a longer line.
            self.is_over.wait(0.1)
            if not self.is_kept_alive:
                connection.close()
        connection.close()

    def _post(self, connection: http.client.HTTPConnection, key: str) -> int:
        headers = {
            "content-type": "application/json",
            "x-api-key": self.stack.description["api_key"],
            "idempotency-key": key,
        }
        body = CASE | {"clientReferenceId": key}
        connection.request("POST", "/cases", json.dumps(body), headers)
        answer = connection.getresponse()
        document: dict[str, Any] = json.loads(answer.read())
        assert document["ok"] is (answer.status == 201), document
        return answer.status

    def count(self) -> int:
        return len(self.outcomes)


@contextmanager
def stream_of_cases(stack: Stack, *, is_kept_alive: bool) -> Iterator[list[Stream]]:
    streams = [Stream(stack, is_kept_alive) for _ in range(3)]
    threads = [threading.Thread(target=stream.run, daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    try:
        wait_for("the stream to run", lambda: True if all(stream.count() > 3 for stream in streams) else None)
        yield streams
    finally:
        for stream in streams:
            stream.is_over.set()
        for thread in threads:
            thread.join(timeout=40)


def let_pass(streams: list[Stream], requests: int) -> None:
    """Returns once so many more requests of each client have ended."""
    wanted = [stream.count() + requests for stream in streams]
    wait_for(
        f"{requests} more requests of each client",
        lambda: True if all(s.count() >= n for s, n in zip(streams, wanted, strict=True)) else None,
    )


def wait_until_worked_off(stack: Stack, streams: list[Stream]) -> None:
    """Returns once no case of the streams has anything to do: the next test needs the worker."""
    keys = [key for stream in streams for key, _ in stream.outcomes]

    def find() -> bool | None:
        with psycopg.connect(stack.description["database_url"]) as database:
            row = database.execute(
                "SELECT count(*) FROM cases_caseevent e JOIN cases_case c ON c.id = e.case_id"
                " WHERE c.client_reference_id = ANY(%s) AND e.status IN ('ready', 'running')",
                [keys],
            ).fetchone()
        return True if row == (0,) else None

    wait_for("the cases of the streams to be worked off", find)


def list_children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()}


@pytest.mark.parametrize("is_kept_alive", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_reload_of_the_web_processes_fails_no_request(stack: Stack, is_kept_alive: bool) -> None:
    master = stack.description["pids"]["web"]
    old = list_children(master)

    with stream_of_cases(stack, is_kept_alive=is_kept_alive) as streams:
        os.kill(master, signal.SIGHUP)
        wait_for("the old processes to be gone", lambda: True if not old & list_children(master) else None)
        let_pass(streams, 3)

    assert {outcome for stream in streams for _, outcome in stream.outcomes} == {201}
    wait_until_worked_off(stack, streams)


def test_a_stopped_web_process_finishes_what_it_took_and_a_repeated_request_opens_no_second_case(
    stack: Stack,
) -> None:
    with stream_of_cases(stack, is_kept_alive=False) as streams:
        stack.restart("web", signal.SIGTERM)
        let_pass(streams, 3)

    outcomes = [outcome for stream in streams for outcome in stream.outcomes]
    # While nobody listens a client is refused. No answer is an error of ours, and none is cut off.
    assert {outcome for _, outcome in outcomes} <= {201, "ConnectionRefusedError", "ConnectionResetError"}
    for stream in streams:
        connection = http.client.HTTPConnection(urlsplit(stack.description["api"]).netloc, timeout=30)
        repeated = [stream._post(connection, key) for key, outcome in stream.outcomes if outcome != 201]
        connection.close()
        assert set(repeated) <= {201}
    with psycopg.connect(stack.description["database_url"]) as database:
        keys = [key for key, _ in outcomes]
        row = database.execute(
            "SELECT count(*), count(DISTINCT client_reference_id) FROM cases_case WHERE client_reference_id = ANY(%s)",
            [keys],
        ).fetchone()
    assert row == (len(keys), len(keys))
    wait_until_worked_off(stack, streams)


def test_a_stopped_worker_finishes_its_running_event_once(stack: Stack) -> None:
    stack.play_faults(send=[{"fault": "slow", "seconds": 5}])
    case_id = stack.open_case()
    stack.wait_until_played("send")
    assert stack.get_case(case_id)["status"] == "CREATED"

    stack.restart("worker", signal.SIGTERM)

    # The successor starts only once the stopped worker is gone, so this is the stopped one's work.
    with psycopg.connect(stack.description["database_url"]) as database:
        event = database.execute(
            "SELECT kind, status, attempt, failures, waits FROM cases_caseevent WHERE case_id = %s", [case_id]
        ).fetchall()
        mail = database.execute(
            "SELECT state, attempts FROM agentmail_outboundemail WHERE owner = %s", [case_id]
        ).fetchall()
    assert event == [("CASE_CREATED", "done", 1, 0, 0)]
    assert mail == [("sent", 1)]
    assert stack.get_case(case_id)["status"] == "RUNNING"
    assert len(stack.list_sent(case_id)) == 1
