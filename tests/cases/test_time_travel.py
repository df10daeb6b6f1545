"""Moving a case's clock on: what becomes due, whose clock moves, and what stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cases.models import Case, CaseEvent
from cases.time_travel import advance_clocks
from tests.cases.factories import CaseFactory

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DUE = NOW + timedelta(hours=72)


def make_running(**values: object) -> Case:
    return CaseFactory.create(
        status="RUNNING", attempt_count=1, next_action="follow_up", next_action_at=DUE, due_at=DUE, **values
    )


def test_a_follow_up_is_due_once_its_time_has_been_passed(db: None) -> None:
    case = make_running()

    advance_clocks(timedelta(hours=71), None, NOW)
    assert CaseEvent.objects.count() == 0
    moved = advance_clocks(timedelta(hours=1), None, NOW)

    assert moved == [case.id]
    event = CaseEvent.objects.get()
    assert (event.kind, event.payload) == ("FOLLOW_UP_DUE", {"scheduled_for": "2026-11-27T10:00:00+00:00"})
    case.refresh_from_db()
    assert (case.next_action_at, case.get_now(NOW)) == (DUE, DUE)


def test_one_case_alone_moves_when_it_is_named(db: None) -> None:
    named, other = make_running(), make_running()

    assert advance_clocks(timedelta(hours=72), named.id, NOW) == [named.id]

    other.refresh_from_db()
    assert (other.clock_offset, other.due_at) == (timedelta(0), DUE)
    assert CaseEvent.objects.get().case_id == named.id


def test_a_case_that_has_ended_stays_where_it_is(db: None) -> None:
    case = CaseFactory.create(status="FAILED", result_status="max_retries")

    assert advance_clocks(timedelta(hours=72), case.id, NOW) == []

    case.refresh_from_db()
    assert case.clock_offset == timedelta(0)


def test_a_mail_of_before_a_move_keeps_its_day(db: None) -> None:
    case = make_running()
    hour = timedelta(hours=1)

    advance_clocks(timedelta(days=2), None, NOW)
    advance_clocks(timedelta(days=2), None, NOW + 2 * hour)

    case.refresh_from_db()
    assert case.get_time_of(NOW - hour) == NOW - hour
    assert case.get_time_of(NOW + hour) == NOW + hour + timedelta(days=2)
    assert case.get_time_of(NOW + 3 * hour) == case.get_now(NOW + 3 * hour) == NOW + 3 * hour + timedelta(days=4)
