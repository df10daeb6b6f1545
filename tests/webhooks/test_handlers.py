"""A delivery from its row to a real endpoint and back, once, whatever happens."""

from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from tests.webhooks.endpoints import Endpoint, find_closed_port, hang_up, say, serving
from webhooks.handlers import LEASE_S, deliver, sweep
from webhooks.models import Delivery, DeliveryAttempt
from webhooks.services import CRASHED, claim_delivery, record_delivery

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _allow_the_loopback(settings: Settings) -> None:
    settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE = True


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.name == "webhooks.handlers"]


def record(url: str, now: datetime, event_id: str = "evt_1") -> Delivery:
    return record_delivery(
        owner=uuid4(),
        url=url,
        event_id=event_id,
        event_type="case.completed",
        body={"event_id": event_id, "data": {"result": "private"}},
        now=now,
    )


def test_a_delivery_reaches_its_endpoint_and_its_answer_is_recorded(
    now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(say(200, b"thanks")) as endpoint, caplog.at_level(logging.INFO, "webhooks"):
        delivery = record(endpoint.url("/s3cret"), now)
        deliver(delivery.id, now)

    delivery.refresh_from_db()
    attempt = delivery.attempts.get()
    assert delivery.state == attempt.outcome == "delivered"
    assert (attempt.status_code, attempt.first_bytes, attempt.error) == (200, "thanks", "")
    assert attempt.finished_at is not None
    assert now <= attempt.finished_at < now + timedelta(seconds=15)
    assert [request.body for request in endpoint.requests] == [b'{"event_id":"evt_1","data":{"result":"private"}}']
    assert logged(caplog)[-1] == "webhook evt_1 (case.completed) to 127.0.0.1: attempt 1 delivered"


def test_a_failure_is_recorded_and_logged_without_body_or_path_and_is_not_retried(
    now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(say(503, b"private answer")) as endpoint, caplog.at_level(logging.INFO, "webhooks"):
        delivery = record(endpoint.url("/s3cret"), now)
        deliver(delivery.id, now)
        deliver(delivery.id, now + timedelta(hours=1))
        sweep(now + timedelta(hours=1))

    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error) == ("failed", "The endpoint answered 503.")
    assert len(endpoint.requests) == 1
    assert logged(caplog) == [
        "webhook evt_1 (case.completed) to 127.0.0.1: attempt 1 failed: The endpoint answered 503."
    ]
    assert "private" not in caplog.text
    assert "s3cret" not in caplog.text


def test_an_endpoint_that_hangs_up_leaves_the_delivery_unknown_and_is_not_asked_again(now: datetime) -> None:
    with serving(hang_up) as endpoint:
        delivery = record(endpoint.url(), now)
        deliver(delivery.id, now)
        deliver(delivery.id, now + timedelta(hours=1))

    delivery.refresh_from_db()
    assert delivery.state == "unknown"
    assert len(endpoint.requests) == 1


def test_nobody_listening_is_a_failure(now: datetime) -> None:
    delivery = record(f"http://127.0.0.1:{find_closed_port()}/", now)

    deliver(delivery.id, now)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error) == ("failed", "The endpoint refused the connection.")


def test_without_leave_to_go_inside_a_private_endpoint_is_not_called(now: datetime, settings: Settings) -> None:
    settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE = False
    with serving(say(200)) as endpoint:
        delivery = record(endpoint.url(), now)
        deliver(delivery.id, now)

    delivery.refresh_from_db()
    assert delivery.state == "failed"
    assert endpoint.connections == 0


def test_while_the_endpoint_thinks_the_attempt_is_on_record_and_no_transaction_is_open(now: datetime) -> None:
    seen: list[Any] = []

    def look_at_the_database(endpoint: Endpoint, stream: socket.socket) -> None:
        try:
            attempt = DeliveryAttempt.objects.get()
            seen.append((attempt.number, attempt.outcome, attempt.delivery.state))
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND backend_type = 'client backend' "
                    "AND pid <> pg_backend_pid()"
                )
                seen.append(cursor.fetchone())
        finally:
            connection.close()
        say(200)(endpoint, stream)

    with serving(look_at_the_database) as endpoint:
        delivery = record(endpoint.url(), now)
        deliver(delivery.id, now)

    # The waiting handler holds no connection at all.
    assert seen == [(1, "", "sending"), (0,)]


def test_ten_workers_with_the_same_message_make_one_post(now: datetime) -> None:
    barrier = threading.Barrier(10)

    def work(delivery_id: UUID) -> None:
        try:
            barrier.wait(30)
            deliver(delivery_id, now)
        finally:
            connection.close()

    with serving(say(200)) as endpoint, ThreadPoolExecutor(10) as pool:
        delivery = record(endpoint.url(), now)
        list(pool.map(work, [delivery.id] * 10))

    assert len(endpoint.requests) == 1
    assert DeliveryAttempt.objects.count() == 1


def test_what_a_crashed_worker_began_is_closed_as_unknown_and_never_posted_again(
    now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(say(200)) as endpoint, caplog.at_level(logging.WARNING, "webhooks.handlers"):
        delivery = record(endpoint.url(), now)
        # The worker that made this claim is gone: nobody will finish it.
        claim_delivery(delivery.id, now, LEASE_S)
        deliver(delivery.id, now + timedelta(seconds=1))
        later = now + timedelta(seconds=LEASE_S + 1)
        sweep(later)
        deliver(delivery.id, later)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error) == ("unknown", CRASHED)
    assert delivery.attempts.get().outcome == "unknown"
    assert endpoint.connections == 0
    assert logged(caplog) == ["webhook evt_1: its worker stopped before it recorded the answer, which stays unknown"]


def test_an_answer_that_comes_after_its_attempt_was_closed_is_logged_and_changes_nothing(
    now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    def give_up_meanwhile(endpoint: Endpoint, stream: socket.socket) -> None:
        try:
            sweep(now + timedelta(hours=1))
        finally:
            connection.close()
        say(200)(endpoint, stream)

    with serving(give_up_meanwhile) as endpoint, caplog.at_level(logging.WARNING, "webhooks.handlers"):
        delivery = record(endpoint.url(), now)
        deliver(delivery.id, now)

    delivery.refresh_from_db()
    assert delivery.state == "unknown"
    assert logged(caplog)[-1] == (
        "webhook evt_1 (case.completed) to 127.0.0.1: attempt 1 was closed before its answer came"
    )


@pytest.mark.parametrize(("others", "wait_s"), [(0, 60), (1199, 120), (9999, 600)])
def test_the_less_is_open_the_sooner_a_nudge_that_was_lost_again_and_again_is_repeated(
    others: int, wait_s: int, now: datetime
) -> None:
    delivery = record("http://127.0.0.1/", now)
    Delivery.objects.filter(pk=delivery.pk).update(nudges=6, nudged_at=now)
    Delivery.objects.bulk_create(
        Delivery(
            owner=uuid4(),
            url="http://127.0.0.1/",
            event_id=f"evt_other_{number}",
            event_type="case.failed",
            body="{}",
            created_at=now,
            next_attempt_at=now,
            nudged_at=now + timedelta(days=1),
        )
        for number in range(others)
    )

    sweep(now + timedelta(seconds=wait_s - 1))
    assert Delivery.objects.get(pk=delivery.pk).nudges == 6
    sweep(now + timedelta(seconds=wait_s))
    assert Delivery.objects.get(pk=delivery.pk).nudges == 7


def test_what_is_not_due_makes_no_lost_nudge_wait_longer(now: datetime) -> None:
    delivery = record("http://127.0.0.1/", now)
    Delivery.objects.filter(pk=delivery.pk).update(nudges=6, nudged_at=now)
    Delivery.objects.bulk_create(
        Delivery(
            owner=uuid4(),
            url="http://127.0.0.1/",
            event_id=f"evt_other_{number}",
            event_type="case.failed",
            body="{}",
            created_at=now,
            next_attempt_at=now + timedelta(hours=10),
            tries=6,
        )
        for number in range(1199)
    )

    sweep(now + timedelta(seconds=60))

    assert Delivery.objects.get(pk=delivery.pk).nudges == 7


def test_a_sweep_goes_on_in_batches_until_nothing_is_due(now: datetime) -> None:
    Delivery.objects.bulk_create(
        Delivery(
            owner=uuid4(),
            url="http://127.0.0.1/",
            event_id=f"evt_{number}",
            event_type="case.failed",
            body="{}",
            state="sending" if number % 2 else "pending",
            created_at=now,
            next_attempt_at=None if number % 2 else now,
            lease_until=now if number % 2 else None,
        )
        for number in range(410)
    )

    sweep(now + timedelta(seconds=1))

    assert Delivery.objects.filter(state="pending", nudges=1).count() == 205
    assert Delivery.objects.filter(state="unknown").count() == 205
