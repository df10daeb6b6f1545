"""The nudges of a sweep: in batches, a bounded number of ids in hand, and never in the way of what is recorded."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from celery import current_app
from django.utils import timezone

from cases.models import Case, CaseEvent
from cases.nudge import looking_at, nudge_all, nudge_on_commit
from cases.tasks import sweep_follow_ups
from tests.cases.factories import CaseFactory, ClientFactory
from tests.offload.queue_app import make_app
from tests.offload.sqs_endpoint import Fault, SqsEndpoint

QUEUE = "offload-tasks"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[SqsEndpoint]:
    started = SqsEndpoint()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def _queue(endpoint: SqsEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fresh application at an endpoint that behaves and holds nothing."""
    endpoint.behave()
    endpoint.queues.clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint.url)
    before = current_app._get_current_object()  # type: ignore[attr-defined]
    make_app().set_current()
    yield
    before.set_current()


def list_cases(endpoint: SqsEndpoint) -> list[str]:
    envelopes = [json.loads(base64.b64decode(message.body)) for message in endpoint.queues[QUEUE]]
    return [json.loads(base64.b64decode(envelope["body"]))[0][0] for envelope in envelopes]


def make_due_cases(count: int) -> None:
    due_at = timezone.now() - timedelta(minutes=1)
    values = {"status": "RUNNING", "next_action": "follow_up", "next_action_at": due_at, "due_at": due_at}
    client = ClientFactory.create()
    Case.objects.bulk_create(CaseFactory.build_batch(count, client=client, attempt_count=1, **values))


def test_a_sweep_sends_one_message_a_case_ten_to_a_call(endpoint: SqsEndpoint) -> None:
    ids = [UUID(int=number) for number in range(2005)]

    assert nudge_all(ids) == 2005

    assert list_cases(endpoint) == [str(case_id) for case_id in ids]
    assert (endpoint.calls["SendMessageBatch"], endpoint.calls["SendMessage"]) == (201, 0)


def test_never_more_than_a_thousand_ids_wait_to_be_sent(endpoint: SqsEndpoint) -> None:
    waiting: list[int] = []

    def hand_out() -> Iterator[UUID]:
        for number in range(2500):
            waiting.append(number - len(endpoint.queues.get(QUEUE, [])))
            yield UUID(int=number)

    assert nudge_all(hand_out()) == 2500

    assert max(waiting) == 999


def test_no_case_means_no_call_to_the_queue(endpoint: SqsEndpoint) -> None:
    assert nudge_all(iter([])) == 0

    assert not endpoint.calls


def test_a_queue_that_refuses_is_asked_once_and_the_ids_are_taken_to_the_end(endpoint: SqsEndpoint) -> None:
    # The endpoint's queue exists and is known, so that only the messages themselves are refused.
    assert nudge_all([UUID(int=1)]) == 1
    endpoint.play(Fault.UNAVAILABLE, "SendMessage", "SendMessageBatch")
    ids = iter([UUID(int=number) for number in range(3000)])

    assert nudge_all(ids) == 0

    assert list(ids) == []
    assert (endpoint.calls["SendMessageBatch"], endpoint.calls["SendMessage"]) == (1, 1)
    assert list_cases(endpoint) == [str(UUID(int=1))]


@pytest.mark.django_db(transaction=True)
def test_a_sweep_records_every_follow_up_while_the_queue_is_dead(endpoint: SqsEndpoint) -> None:
    make_due_cases(1500)
    endpoint.play(Fault.UNAVAILABLE, "SendMessage", "SendMessageBatch")

    sweep_follow_ups()

    assert CaseEvent.objects.filter(kind="FOLLOW_UP_DUE", status="ready").count() == 1500
    assert endpoint.queues.get(QUEUE, []) == []


@pytest.mark.django_db(transaction=True)
def test_a_follow_up_is_committed_before_its_case_is_nudged(endpoint: SqsEndpoint) -> None:
    make_due_cases(1500)

    sweep_follow_ups()

    recorded = CaseEvent.objects.filter(kind="FOLLOW_UP_DUE").values_list("case_id", flat=True)
    assert sorted(list_cases(endpoint)) == sorted(str(case_id) for case_id in recorded)
    assert len(recorded) == 1500


@pytest.mark.django_db(transaction=True)
def test_a_worker_sends_no_message_about_the_case_that_it_goes_on_looking_at(endpoint: SqsEndpoint) -> None:
    mine, other = UUID(int=1), UUID(int=2)

    with looking_at(mine):
        nudge_on_commit(mine)
        nudge_on_commit(other)
    nudge_on_commit(mine)

    assert list_cases(endpoint) == [str(other), str(mine)]
