"""Webhooks lost for a day are found again, and an event that nobody can handle is seen and delays no other case."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.live.stack import ROOT, Stack, wait_for
from tests.live.test_first_case import ANSWER, W9

pytestmark = pytest.mark.live

LOST = {"fault": "drop", "event_type": "message.received"}
LATE = {"fault": "delay", "seconds": 20, "event_type": "message.received"}


def query(stack: Stack, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.description["database_url"]) as database:
        cursor = database.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def manage(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs one command of the product with the stack's settings."""
    settings = (stack.directory / "dev.env").read_text(encoding="utf-8").splitlines()
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"} | dict(line.split("=", 1) for line in settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def open_running(stack: Stack, number: int) -> list[tuple[str, str]]:
    """Opens so many cases; returns (case id, thread id) of each once its outreach is out."""
    case_ids = [stack.open_case() for _ in range(number)]
    threads = [stack.wait_for_mail(case_id)["thread_id"] for case_id in case_ids]
    for case_id in case_ids:
        stack.wait_for_status(case_id, "RUNNING")
    return list(zip(case_ids, threads, strict=True))


def make_a_day_old(stack: Stack, thread_id: str) -> None:
    """Moves the provider's record of the thread back: its webhooks were lost all that time."""
    query(
        stack,
        "UPDATE sandbox_message SET timestamp = timestamp - interval '24 hours' WHERE thread_id ="
        " (SELECT id FROM sandbox_thread WHERE thread_id = %s)",
        thread_id,
    )


def assert_evaluated_once(stack: Stack, case_id: str) -> None:
    events = query(stack, "SELECT kind FROM cases_caseevent WHERE case_id = %s ORDER BY id", case_id)
    runs = query(stack, "SELECT operation FROM cases_agentrun WHERE case_id = %s ORDER BY id", case_id)
    assert events == [("CASE_CREATED",), ("REPLY_RECEIVED",)]
    assert len(runs) == 2
    assert len(stack.list_notices(case_id)) == 1


# A stack of its own with a short schedule; the small chaos run finds lost replies by schedule in every run.
@pytest.mark.long
def test_replies_whose_webhooks_were_lost_are_found_by_schedule_and_late_webhooks_change_nothing(
    tmp_path: Path,
) -> None:
    stack = Stack(tmp_path, OFFLOAD_RECONCILE_SECONDS="2")
    try:
        cases = open_running(stack, 4)
        stack.play_faults(webhook=[LOST, LATE, LOST, LATE])

        for _, thread_id in cases:
            stack.reply(thread_id, ANSWER, attachments=[W9])

        for case_id, _ in cases:
            assert stack.wait_for_status(case_id, "COMPLETED")["result"]["taxId"] == "12-3456789"

        def all_told() -> bool | None:
            return True if stack.call("GET", "/webhooks", base="sandbox")[1]["pending"] == 0 else None

        wait_for("the late webhooks to arrive", all_told)
        for case_id, _ in cases:
            assert_evaluated_once(stack, case_id)
    finally:
        assert stack.stop() == 0


def test_a_lost_reply_is_found_by_the_command(stack: Stack) -> None:
    [(case_id, thread_id)] = open_running(stack, 1)
    stack.play_faults(webhook=[LOST])
    stack.reply(thread_id, ANSWER, attachments=[W9])
    make_a_day_old(stack, thread_id)

    dry = manage(stack, "reconcile_mail", "--case", case_id, "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, f"Case {case_id}: 1 message missing, 0 stored.\n"), dry.stderr
    assert stack.get_case(case_id)["status"] == "RUNNING"
    done = manage(stack, "reconcile_mail", "--since", "25")

    assert done.returncode == 0, done.stderr
    assert "1 missing here, 1 stored, 1 of them for a case." in done.stdout
    stack.wait_for_status(case_id, "COMPLETED")
    assert_evaluated_once(stack, case_id)


def test_an_event_that_always_fails_ends_dead_with_its_reason_and_delays_no_other_case(stack: Stack) -> None:
    [(poisoned, _)] = open_running(stack, 1)
    # What no code writes: the handler meets a payload that it cannot read, every time.
    query(
        stack,
        "INSERT INTO cases_caseevent (key, case_id, kind, payload, payload_hash, status, attempt, failures, waits,"
        " leased_by, run_after, nudges, last_error, summary, created_at)"
        " VALUES (%s, %s, 'FOLLOW_UP_DUE', '{\"scheduled_for\": \"never\"}', '', 'ready', 0, 0, 0,"
        " '', now(), 0, '', '', now())",
        f"poison:{poisoned}",
        poisoned,
    )

    healthy = [stack.open_case() for _ in range(20)]
    for case_id in healthy:
        stack.wait_for_status(case_id, "RUNNING")

    def find_dead() -> tuple[Any, ...] | None:
        row = query(
            stack,
            "SELECT status, failures, last_error FROM cases_caseevent WHERE key = %s",
            f"poison:{poisoned}",
        )[0]
        return row if row[0] == "dead" else None

    _, failures, reason = wait_for("the event to be dead", find_dead, 90)
    assert (failures, reason) == (5, "ValueError: Invalid isoformat string: 'never'")
    assert stack.get_case(poisoned)["status"] == "RUNNING"
    worst = query(
        stack,
        "SELECT max(failures), max(attempt) FROM cases_caseevent WHERE case_id = ANY(%s::uuid[])",
        healthy,
    )
    assert worst == [(0, 1)]
