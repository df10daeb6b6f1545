"""Each number of /metrics against rows that are counted by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from django.db import connection
from prometheus_client.core import Metric

from agentmail.models import AccountCheck, InboundEmail, InboxCursor, OutboundEmail, ProviderEvent
from cases import ledger
from cases.handlers import work
from cases.models import CaseEvent, InputRequest
from cases.workflow import EventKind
from offload.collecting import asking, queue
from offload.collecting.cases import collect_cases, collect_events, collect_follow_ups
from offload.collecting.deliveries import collect_deliveries
from offload.collecting.mail import collect_mail, collect_mail_account
from offload.collecting.processes import collect_processes
from offload.models import Pulse
from offload.pulses import tell
from offload.queues import Queues
from tests.cases.factories import CaseFactory
from tests.offload.ministack import Ministack
from webhooks.models import Delivery, DeliveryTotal, Endpoint

pytestmark = pytest.mark.django_db
# An age is read moments after its row was written.
SOON_S = 5.0


def read(collect: Callable[[], Iterable[Metric]]) -> dict[str, float]:
    """Returns each number by its name and the values of its labels."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for metric in collect()
        for sample in metric.samples
    }


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def make_event(case: Any, **values: Any) -> CaseEvent:
    recorded = ledger.record(case_id=case.id, kind=EventKind.REPLY_RECEIVED, key=str(uuid4()), payload={})
    CaseEvent.objects.filter(id=recorded.event_id).update(**values)
    return CaseEvent.objects.get(id=recorded.event_id)


def test_cases_are_counted_by_status_and_the_oldest_question_by_its_age() -> None:
    CaseFactory.create_batch(2)
    CaseFactory.create(paused_at=ago(hours=1))
    waiting = CaseFactory.create(status="INPUT_NEEDED")
    answered = CaseFactory.create(status="COMPLETED", result_status="goal_achieved")
    InputRequest.objects.create(case=waiting, question="When?", requested_at=ago(hours=2))
    InputRequest.objects.create(
        case=answered, question="Where?", requested_at=ago(hours=9), status="RESOLVED", resolved_at=ago(hours=8)
    )

    found = read(collect_cases)

    assert found.pop("offload_oldest_question_seconds") == pytest.approx(7200, abs=SOON_S)
    assert found == {
        "offload_cases CREATED": 3.0,
        "offload_cases RUNNING": 0.0,
        "offload_cases INPUT_NEEDED": 1.0,
        "offload_cases COMPLETED": 1.0,
        "offload_cases FAILED": 0.0,
        "offload_paused_cases": 1.0,
        "offload_open_questions": 1.0,
    }


def test_above_what_is_counted_the_number_is_postgresqls_own_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "COUNTED", 3)
    CaseFactory.create_batch(40)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE cases_case")

    found = read(collect_cases)

    assert found["offload_cases CREATED"] == pytest.approx(40, abs=5)
    assert found["offload_cases RUNNING"] == 0.0


def test_steps_are_counted_by_state_and_a_paused_cases_waits_for_a_person() -> None:
    case, paused = CaseFactory.create(), CaseFactory.create(paused_at=ago(hours=1))
    make_event(case, run_after=ago(minutes=10))
    make_event(case, run_after=ago(minutes=1))
    make_event(case, run_after=ago(minutes=-5))
    make_event(case, status="dead", finished_at=ago(hours=1))
    make_event(case, status="done", finished_at=ago(hours=1))
    make_event(case, status="running", lease_until=ago(minutes=-1))
    make_event(paused, run_after=ago(days=2))

    found = read(collect_events)

    assert found.pop("offload_oldest_event_seconds") == pytest.approx(600, abs=SOON_S)
    assert found == {
        "offload_events due": 2.0,
        "offload_events later": 1.0,
        "offload_events running": 1.0,
        "offload_events dead": 1.0,
        "offload_held_events mail configuration": 0.0,
        "offload_held_events agent configuration": 0.0,
        "offload_held_events cap": 0.0,
    }


def test_without_a_due_step_the_oldest_has_waited_no_time() -> None:
    assert read(collect_events)["offload_oldest_event_seconds"] == 0.0


def test_what_waits_for_an_operator_is_told_by_the_reason_that_the_worker_wrote() -> None:
    for reason in (
        "The mail provider's configuration needs mending: the key is refused",
        "The agent's configuration needs mending: the key is refused",
        f"{work.HELD} OFFLOAD_MODEL_MAX_CASE_TOKENS",
        "The mail provider cannot take it now: 503",
    ):
        make_event(CaseFactory.create(), run_after=ago(minutes=-5), last_error=reason, waits=1)

    found = read(collect_events)

    assert found["offload_held_events mail configuration"] == 1.0
    assert found["offload_held_events agent configuration"] == 1.0
    assert found["offload_held_events cap"] == 1.0


def test_a_follow_up_is_due_at_its_time_and_late_after_a_sweep_and_fifteen_minutes(settings: Any) -> None:
    settings.OFFLOAD_FOLLOW_UP_SWEEP_SECONDS = 3600
    for due_at, more in (
        (ago(minutes=-1), {}),
        (ago(minutes=10), {}),
        (ago(minutes=74), {}),
        (ago(minutes=76), {}),
        (ago(days=9), {"paused_at": ago(days=10)}),
    ):
        CaseFactory.create(status="RUNNING", due_at=due_at, next_action_at=due_at, next_action="follow_up", **more)

    found = read(collect_follow_ups)

    assert found.pop("offload_oldest_follow_up_seconds") == pytest.approx(76 * 60, abs=SOON_S)
    assert found == {"offload_follow_ups_due": 3.0, "offload_follow_ups_late": 1.0}


def make_mail(state: str, frozen_at: datetime, **values: Any) -> None:
    OutboundEmail.objects.create(
        owner=uuid4(),
        reference=str(uuid4()),
        inbox_id="agent@offload.example",
        to_address="maya@vendor.example",
        text="Hello",
        payload="{}",
        idempotency_key=str(uuid4()),
        label=str(uuid4()),
        state=state,
        frozen_at=frozen_at,
        **values,
    )


def make_received(svix_id: str, received_at: datetime, owner: Any = None) -> None:
    event = ProviderEvent.objects.create(
        event_id=str(uuid4()), svix_id=svix_id, kind="mail", payload={}, received_at=received_at
    )
    InboundEmail.objects.create(
        event=event,
        received_at=received_at,
        inbox_id="agent@offload.example",
        message_id=str(uuid4()),
        thread_id="thread",
        owner=owner,
        matched_at=received_at if owner else None,
    )


def test_mail_that_does_not_leave_and_mail_that_belongs_to_nobody_are_counted() -> None:
    tried = {"first_attempt_at": ago(hours=1), "last_attempt_at": ago(hours=1), "attempts": 1}
    make_mail("frozen", ago(seconds=10))
    make_mail("frozen", ago(minutes=5))
    make_mail("unknown", ago(hours=3), **tried)
    make_mail("abandoned", ago(hours=9))
    make_received("msg_1", ago(minutes=3))
    make_received("", ago(hours=2), owner=uuid4())
    make_received("", ago(days=2))
    make_received("msg_2", ago(days=4))

    found = read(collect_mail)

    assert found.pop("offload_oldest_held_mail_seconds") == pytest.approx(3 * 3600, abs=SOON_S)
    assert found.pop("offload_last_webhook_seconds") == pytest.approx(180, abs=SOON_S)
    assert found == {
        "offload_held_mails frozen": 1.0,
        "offload_held_mails sending": 0.0,
        "offload_held_mails unknown": 1.0,
        "offload_unmatched_mails": 2.0,
        "offload_mails_without_webhook": 1.0,
    }


def test_without_any_webhook_nothing_is_claimed_about_the_last_one() -> None:
    assert "offload_last_webhook_seconds" not in read(collect_mail)


def test_the_last_look_at_inboxes_and_account_is_told_and_what_is_unknown_is_no_fault() -> None:
    InboxCursor.objects.create(inbox_id="a", looked_at=ago(minutes=2))
    InboxCursor.objects.create(inbox_id="b", looked_at=ago(minutes=20), last_error="HTTP 401")
    for part, problem, is_known in (("key", "", True), ("inbox", "no answer", False), ("webhook", "gone", True)):
        AccountCheck.objects.create(part=part, problem=problem, is_known=is_known, checked_at=ago(hours=1))

    found = read(collect_mail_account)

    assert found.pop("offload_inbox_search_seconds") == pytest.approx(1200, abs=SOON_S)
    assert found == {
        "offload_inbox_search_faults": 1.0,
        "offload_mail_account_faults inbox": 0.0,
        "offload_mail_account_faults key": 0.0,
        "offload_mail_account_faults webhook": 1.0,
    }


def test_webhooks_are_counted_by_outcome_and_what_waits_for_a_retry_or_a_paused_endpoint_is_not_due() -> None:
    DeliveryTotal.objects.create(outcome="delivered", part=0, attempts=3)
    DeliveryTotal.objects.create(outcome="delivered", part=1, attempts=4)
    paused = Endpoint.objects.create(
        subscriber=uuid4(), origin="https://client.example", url_digest="0" * 64, paused_at=ago(days=1)
    )
    for due_at, held_by, tries in (
        (ago(minutes=4), None, 1),
        (ago(minutes=-4), None, 0),
        (ago(minutes=-4), None, 2),
        (ago(minutes=-9), None, 3),
        (datetime(9999, 12, 31, tzinfo=UTC), paused, 1),
    ):
        Delivery.objects.create(
            owner=uuid4(),
            event_id=str(uuid4()),
            event_type="case.completed",
            url="https://client.example/hook",
            body="{}",
            created_at=ago(hours=1),
            next_attempt_at=due_at,
            held_by=held_by,
            tries=tries,
        )

    found = read(collect_deliveries)

    assert found.pop("offload_oldest_delivery_seconds") == pytest.approx(240, abs=SOON_S)
    assert found == {
        "offload_webhook_attempts_total delivered": 7.0,
        "offload_webhook_attempts_total failed": 0.0,
        "offload_webhook_attempts_total unknown": 0.0,
        "offload_deliveries_due": 1.0,
        "offload_deliveries_retrying": 2.0,
        "offload_deliveries_held": 1.0,
        "offload_paused_endpoints": 1.0,
    }


def test_beat_and_workers_are_told_by_what_was_heard_of_them() -> None:
    tell(Pulse.BEAT, Pulse.BEAT)
    tell("worker a:1", Pulse.WORKER, 50)
    tell("worker b:2", Pulse.WORKER, 5)
    tell("worker c:3", Pulse.WORKER, None)
    tell("worker gone:4", Pulse.WORKER, 1)
    Pulse.objects.filter(name="worker gone:4").update(beaten_at=ago(minutes=5))

    found = read(collect_processes)

    assert found["offload_beat_seconds"] == pytest.approx(0, abs=SOON_S)
    assert found["offload_workers"] == 3.0
    assert found["offload_worker_poll_seconds"] == pytest.approx(5, abs=SOON_S)


def test_whoever_was_never_heard_of_was_last_heard_of_for_ever_ago() -> None:
    found = read(collect_processes)

    assert found == {"offload_beat_seconds": math.inf, "offload_workers": 0.0, "offload_worker_poll_seconds": math.inf}


def test_a_row_of_a_process_that_was_killed_is_forgotten_after_a_day() -> None:
    tell("worker old:1", Pulse.WORKER)
    Pulse.objects.update(beaten_at=ago(hours=25))

    tell("worker young:2", Pulse.WORKER)

    assert list(Pulse.objects.values_list("name", flat=True)) == ["worker young:2"]


def test_the_queues_and_their_dead_letters_are_counted(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    ministack = Ministack(tmp_path_factory.mktemp("sqs"))
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", ministack.url)
        settings.OFFLOAD_QUEUE = f"queue-{uuid4()}"
        Queues().ensure()
        sqs = boto3.client("sqs", region_name="us-east-1")
        for name, messages in ((settings.OFFLOAD_QUEUE, 3), (f"{settings.OFFLOAD_QUEUE}-dead", 1)):
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            for number in range(messages):
                sqs.send_message(QueueUrl=url, MessageBody=str(number))
        taken = sqs.get_queue_url(QueueName=settings.OFFLOAD_QUEUE)["QueueUrl"]
        assert len(sqs.receive_message(QueueUrl=taken, MaxNumberOfMessages=1)["Messages"]) == 1
        queue.LOOK.forget()
        queue.LOOK.get(30)

        found = read(queue.collect_queue)
    finally:
        queue.LOOK.forget()
        ministack.stop()

    assert found == {
        "offload_queue_up": 1.0,
        "offload_queue_messages main visible": 2.0,
        "offload_queue_messages main in flight": 1.0,
        "offload_queue_messages dead visible": 1.0,
    }
