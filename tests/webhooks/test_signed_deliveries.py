"""Signed and retried deliveries at a real endpoint, through the handler that a worker runs."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from tests.webhooks.deliveries import SUBSCRIBER, record
from tests.webhooks.endpoints import Endpoint, say, serving
from webhooks.handlers import LEASE_S, deliver, sweep
from webhooks.models import Delivery, DeliveryAttempt
from webhooks.policies import change_policy, rotate_secret
from webhooks.services import UNSIGNABLE
from webhooks.signing import find_fault

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _allow_the_loopback(settings: Settings) -> None:
    settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE = True


def test_without_an_opt_in_the_request_is_to_the_byte_what_it_always_was(now: datetime) -> None:
    with serving(say(200)) as endpoint:
        deliver(record(now, url=endpoint.url(), subscriber=SUBSCRIBER).id, now)

    [request] = endpoint.requests
    assert request.line == "POST /hook HTTP/1.1"
    assert request.headers == {
        "host": f"127.0.0.1:{endpoint.port}",
        "content-type": "application/json",
        "user-agent": "Offload-Webhooks/1",
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": str(len(request.body)),
    }
    assert DeliveryAttempt.objects.get().signatures == 0


def test_a_signed_delivery_is_believed_by_the_reference_library(now: datetime) -> None:
    real_now = timezone.now()
    made = change_policy(SUBSCRIBER, signs=True, by="ana", now=real_now)
    assert made is not None
    with serving(say(200)) as endpoint:
        deliver(record(real_now, url=endpoint.url(), subscriber=SUBSCRIBER).id, real_now)

    [request] = endpoint.requests
    assert Webhook(made.secret).verify(request.body, request.headers)["event_id"] == "evt_1"
    assert request.headers["webhook-id"] == "evt_1"
    assert DeliveryAttempt.objects.get().signatures == 1


def test_a_retry_keeps_its_id_and_has_its_own_time_and_signature(now: datetime) -> None:
    made = change_policy(SUBSCRIBER, signs=True, retries=True, by="ana", now=now)
    assert made is not None
    with serving(say(503)) as endpoint:
        delivery = record(now, url=endpoint.url(), subscriber=SUBSCRIBER)
        deliver(delivery.id, now)
        deliver(delivery.id, now + timedelta(seconds=3))
        later = now + timedelta(seconds=30)
        deliver(delivery.id, later)

    first, second = endpoint.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "evt_1"
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 30
    assert find_fault(made.secret, second.headers, second.body, now=later) is None


def test_while_a_secret_is_replaced_both_fit_and_afterwards_the_newer_alone(now: datetime) -> None:
    first = change_policy(SUBSCRIBER, signs=True, by="ana", now=now)
    assert first is not None
    second = rotate_secret(SUBSCRIBER, by="ana", now=now)
    day_after = now + timedelta(hours=24)
    with serving(say(200)) as endpoint:
        deliver(record(now, "evt_1", url=endpoint.url(), subscriber=SUBSCRIBER).id, now)
        deliver(record(day_after, "evt_2", url=endpoint.url(), subscriber=SUBSCRIBER).id, day_after)

    during, after = endpoint.requests
    assert find_fault(first.secret, during.headers, during.body, now=now) is None
    assert find_fault(second.secret, during.headers, during.body, now=now) is None
    assert find_fault(first.secret, after.headers, after.body, now=day_after) is not None
    assert find_fault(second.secret, after.headers, after.body, now=day_after) is None


def test_what_cannot_be_signed_does_not_leave_and_goes_out_signed_once_the_key_is_back(
    now: datetime, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    made = change_policy(SUBSCRIBER, signs=True, by="ana", now=now)
    assert made is not None
    key, settings.SECRET_KEY = settings.SECRET_KEY, "another key of the installation"
    with serving(say(200)) as endpoint, caplog.at_level(logging.ERROR, "webhooks.services"):
        delivery = record(now, url=endpoint.url(), subscriber=SUBSCRIBER)
        deliver(delivery.id, now)

        delivery.refresh_from_db()
        assert (delivery.state, delivery.next_attempt_at) == ("pending", now + timedelta(minutes=5))
        assert delivery.last_error == UNSIGNABLE
        assert endpoint.requests == []
        assert not DeliveryAttempt.objects.exists()
        assert caplog.messages == [f"webhook evt_1 waits: {UNSIGNABLE}"]

        settings.SECRET_KEY = key
        later = now + timedelta(minutes=5)
        deliver(delivery.id, later)

    [request] = endpoint.requests
    assert find_fault(made.secret, request.headers, request.body, now=later) is None


def test_a_retry_checks_the_address_again_and_does_not_go_inside(now: datetime, settings: Settings) -> None:
    change_policy(SUBSCRIBER, retries=True, by="ana", now=now)
    with serving(say(500)) as endpoint:
        delivery = record(now, url=endpoint.url(), subscriber=SUBSCRIBER)
        deliver(delivery.id, now)
        assert endpoint.connections == 1
        settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE = False

        deliver(delivery.id, now + timedelta(minutes=1))

        assert endpoint.connections == 1
    attempts = list(DeliveryAttempt.objects.values_list("number", "status_code", "error"))
    assert attempts[0] == (1, 500, "The endpoint answered 500.")
    assert attempts[1][:2] == (2, None)
    assert attempts[1][2] != ""


def test_an_endpoint_that_asks_for_time_gets_it(now: datetime) -> None:
    change_policy(SUBSCRIBER, retries=True, by="ana", now=now)
    with serving(say(429, b"", "Retry-After: 7200")) as endpoint:
        delivery = record(now, url=endpoint.url(), subscriber=SUBSCRIBER)
        deliver(delivery.id, now)

    delivery.refresh_from_db()
    assert delivery.next_attempt_at is not None
    assert timedelta(0) <= delivery.next_attempt_at - now - timedelta(hours=2) < timedelta(seconds=15)


def test_a_worker_killed_between_the_attempts_row_and_the_answer_costs_a_retry_and_no_event(now: datetime) -> None:
    change_policy(SUBSCRIBER, retries=True, by="ana", now=now)
    worker: list[subprocess.Popen[bytes]] = []

    def kill_the_worker(endpoint: Endpoint, stream: socket.socket) -> None:
        worker[0].send_signal(signal.SIGKILL)

    with serving(kill_the_worker) as endpoint:
        delivery = record(now, url=endpoint.url(), subscriber=SUBSCRIBER)
        worker.append(start_worker(delivery, now))
        assert worker[0].wait(60) == -signal.SIGKILL

    delivery.refresh_from_db()
    assert delivery.state == "sending"
    assert [(row.number, row.outcome) for row in delivery.attempts.all()] == [(1, "")]

    over = now + timedelta(seconds=LEASE_S + 1)
    sweep(over)
    with serving(say(200)) as endpoint:
        Delivery.objects.filter(id=delivery.id).update(url=endpoint.url())
        deliver(delivery.id, over + timedelta(seconds=10))

    assert [request.body for request in endpoint.requests] == [delivery.body.encode()]
    delivery.refresh_from_db()
    assert delivery.state == "delivered"
    assert [(row.number, row.outcome) for row in delivery.attempts.all()] == [(1, "unknown"), (2, "delivered")]


def start_worker(delivery: Delivery, now: datetime) -> subprocess.Popen[bytes]:
    """Runs the handler in a process of its own, against the test's database."""
    database = connection.settings_dict
    url = (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    code = (
        "import django; django.setup()\n"
        "from datetime import datetime; from uuid import UUID\n"
        "from webhooks.handlers import deliver\n"
        f"deliver(UUID('{delivery.id}'), datetime.fromisoformat('{now.isoformat()}'))\n"
    )
    env = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env)
