"""Sweeps and beats that run twice at once, on real connections: each turn is taken once, and nobody waits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from cases import ledger
from cases.follow_ups import record_due_events
from cases.models import Case, CaseEvent
from cases.transitions import lock_case
from cases.workflow import EventKind
from offload.beat import LeaderLock
from tests.cases.factories import CaseFactory
from tests.cases.parallel import LONGEST_WAIT_S, background, in_parallel
from tests.offload.test_beat import wait_until_nobody_leads

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def make_due(number: int) -> list[Case]:
    return [
        CaseFactory.create(status="RUNNING", attempt_count=1, next_action="follow_up", next_action_at=NOW, due_at=NOW)
        for _ in range(number)
    ]


def test_four_sweeps_at_once_record_each_due_case_once() -> None:
    cases = make_due(40)

    found = in_parallel(*[lambda: list(record_due_events(NOW))] * 4)

    together = sorted(case_id for part in found for case_id in part)  # type: ignore[attr-defined]
    assert together == sorted(case.id for case in cases)
    assert CaseEvent.objects.filter(kind="FOLLOW_UP_DUE").count() == 40


def test_a_sweep_leaves_a_case_that_somebody_holds_to_the_next_one() -> None:
    held, free = make_due(2)

    with background() as begin, transaction.atomic():
        lock_case(held.id)
        first = begin(lambda: list(record_due_events(NOW))).result(LONGEST_WAIT_S)

    assert first == [free.id]
    assert list(record_due_events(NOW)) == [held.id]


def test_two_sweeps_of_events_at_once_nudge_each_case_once_and_wait_for_nobody() -> None:
    case = CaseFactory.create()
    ledger.record(case_id=case.id, kind=EventKind.CASE_CREATED, key="created:1", payload={})

    with background() as begin, transaction.atomic():
        first = ledger.sweep()
        second = begin(ledger.sweep).result(LONGEST_WAIT_S)

    assert (first, second, ledger.sweep()) == ([case.id], [], [])


def test_of_ten_beats_that_ask_at_once_one_leads() -> None:
    wait_until_nobody_leads()
    beats = [LeaderLock(connection.get_connection_params()) for _ in range(10)]

    try:
        led = in_parallel(*[beat.hold for beat in beats])
        again = in_parallel(*[beat.hold for beat in beats])
    finally:
        for beat in beats:
            beat.release()

    assert sorted(map(str, led)) == ["False"] * 9 + ["True"]
    assert again == led
