"""Dead events: put back by a human, given up by a human, or given up by themselves after three days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cases import services
from cases.models import Case, CaseEvent
from tests.cases.factories import CaseFactory
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def make_dead(case: Case, kind: str, died_at: datetime = NOW) -> CaseEvent:
    return CaseEvent.objects.create(
        case=case,
        kind=kind,
        key=f"{kind}:{case.id}",
        payload_hash="",
        status="dead",
        failures=5,
        attempt=5,
        last_error="ValueError: broken",
        run_after=died_at,
        created_at=died_at,
        finished_at=died_at,
    )


def test_a_dead_event_is_put_back_once() -> None:
    event = make_dead(CaseFactory.create(), "CASE_CREATED")

    assert services.requeue_event(event.id)

    event.refresh_from_db()
    assert (event.status, event.failures, event.finished_at) == ("ready", 0, None)
    assert not services.requeue_event(event.id)


@pytest.mark.parametrize(
    ("kind", "result_status"),
    [
        ("CASE_CREATED", "send_failed"),
        ("FOLLOW_UP_DUE", "send_failed"),
        ("REPLY_RECEIVED", "evaluation_failed"),
        ("INPUT_PROVIDED", "evaluation_failed"),
        ("RECHECK_DUE", "evaluation_failed"),
    ],
)
def test_giving_up_ends_the_case_with_its_reason_and_tells_the_client(kind: str, result_status: str) -> None:
    case = CaseFactory.create(client_webhook_url="https://app.example/hook")
    event = make_dead(case, kind)

    assert services.give_up_event(event.id, by="sam", now=NOW)

    case.refresh_from_db()
    assert (case.status, case.result_status) == ("FAILED", result_status)
    assert case.failure_reason == "Given up by sam after it had failed 5 times: ValueError: broken"
    assert Delivery.objects.get().event_type == "case.failed"
    assert not services.give_up_event(event.id, by="kim", now=NOW)


def test_after_72_hours_without_a_human_a_dead_event_ends_its_case_and_not_before() -> None:
    young, old = CaseFactory.create(), CaseFactory.create()
    make_dead(young, "CASE_CREATED", NOW - timedelta(hours=71))
    make_dead(old, "CASE_CREATED", NOW - timedelta(hours=73))

    assert services.give_up_old_events(NOW) == 1
    assert services.give_up_old_events(NOW) == 0

    young.refresh_from_db()
    old.refresh_from_db()
    assert (young.status, old.status) == ("CREATED", "FAILED")


def test_a_case_that_went_on_and_ended_keeps_its_end() -> None:
    case = CaseFactory.create(status="COMPLETED", result_status="goal_achieved")
    make_dead(case, "REPLY_RECEIVED", NOW - timedelta(hours=100))

    assert services.give_up_old_events(NOW) == 0

    case.refresh_from_db()
    assert (case.status, case.result_status) == ("COMPLETED", "goal_achieved")
