"""Celery's entry points, called as a worker calls them."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.webhooks.endpoints import say, serving
from webhooks.models import Delivery
from webhooks.services import claim_delivery, record_delivery
from webhooks.tasks import deliver, sweep_deliveries

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_deliver_task_makes_the_delivery_and_does_nothing_a_second_time(settings: Settings) -> None:
    settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE = True
    with serving(say(200)) as endpoint:
        delivery = record_delivery(
            owner=uuid4(),
            url=endpoint.url(),
            event_id="evt_1",
            event_type="case.failed",
            body={"event_id": "evt_1"},
            now=timezone.now(),
        )
        deliver(str(delivery.id))
        deliver(str(delivery.id))

    assert len(endpoint.requests) == 1
    assert Delivery.objects.get().state == "delivered"


def test_the_sweep_task_closes_what_a_crashed_worker_left() -> None:
    an_hour_ago = timezone.now() - timedelta(hours=1)
    delivery = record_delivery(
        owner=uuid4(), url="https://example.com/", event_id="evt_1", event_type="case.failed", body={}, now=an_hour_ago
    )
    claim_delivery(delivery.id, an_hour_ago, 60)

    sweep_deliveries()

    assert Delivery.objects.get().state == "unknown"
