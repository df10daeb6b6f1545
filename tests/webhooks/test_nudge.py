"""Telling the queue: through Celery's own in-memory transport, and to a queue that is down."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from celery import Celery
from celery.app import app_or_default
from django.db import transaction

from tests.webhooks.endpoints import find_closed_port
from webhooks import tasks
from webhooks.nudge import DELIVER, send_nudge
from webhooks.services import record_delivery, sweep_due


def use_queue(broker: str) -> Iterator[Celery]:
    before = app_or_default()
    queue = Celery("tests", broker=broker, set_as_current=False)
    queue.conf.update(
        task_default_queue=f"tests-{uuid4()}",
        broker_transport_options={"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
    )
    queue.set_current()
    try:
        yield queue
    finally:
        before.set_current()


@pytest.fixture
def queue() -> Iterator[Celery]:
    yield from use_queue("memory://")


@pytest.fixture
def dead_queue() -> Iterator[Celery]:
    yield from use_queue(f"amqp://127.0.0.1:{find_closed_port()}//")


def read_messages(queue: Celery) -> list[tuple[str, list[str]]]:
    found = []
    with queue.connection() as opened:
        waiting = opened.SimpleQueue(queue.conf.task_default_queue)
        while waiting.qsize():
            message = waiting.get(block=False)
            message.ack()
            found.append((message.headers["task"], message.payload[0]))
    return found


def record(now: datetime, event_id: str = "evt_1") -> str:
    delivery = record_delivery(
        owner=uuid4(), url="https://example.com/", event_id=event_id, event_type="case.failed", body={}, now=now
    )
    return str(delivery.id)


@pytest.mark.django_db(transaction=True)
def test_a_recorded_delivery_is_announced_once_and_only_after_the_commit(queue: Celery, now: datetime) -> None:
    with transaction.atomic():
        delivery_id = record(now)
        record(now)
        before_commit = read_messages(queue)

    assert before_commit == []
    assert read_messages(queue) == [("webhooks.deliver", [delivery_id])]


@pytest.mark.django_db(transaction=True)
def test_a_delivery_that_was_rolled_back_is_not_announced(queue: Celery, now: datetime) -> None:
    with transaction.atomic():
        record(now)
        transaction.set_rollback(True)

    assert read_messages(queue) == []


@pytest.mark.django_db(transaction=True)
def test_a_sweep_announces_what_it_found(queue: Celery, now: datetime) -> None:
    delivery_id = record(now)
    read_messages(queue)

    sweep_due(now + timedelta(minutes=1))

    assert read_messages(queue) == [("webhooks.deliver", [delivery_id])]


@pytest.mark.django_db(transaction=True)
def test_a_dead_queue_neither_fails_nor_slows_the_caller_and_is_logged_once(
    dead_queue: Celery, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, "webhooks.nudge"):
        for number in range(50):
            record(now, f"evt_{number}")

    assert time.monotonic() - started < 5
    assert caplog.messages == ["the queue did not take a nudge; the sweep will repeat it: OperationalError"]
    assert send_nudge(DELIVER, uuid4()) is False


def test_the_names_that_are_sent_are_those_of_the_tasks(queue: Celery) -> None:
    assert tasks.deliver.name == "webhooks.deliver"
    assert tasks.sweep_deliveries.name == "webhooks.sweep_deliveries"
    assert {"webhooks.deliver", "webhooks.sweep_deliveries"} <= set(queue.tasks)
