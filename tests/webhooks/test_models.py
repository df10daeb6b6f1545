"""What the database itself refuses to hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from tests.webhooks.deliveries import claim, record, rows
from webhooks.models import Delivery, DeliveryAttempt

BROKEN_DELIVERIES = [
    {"state": "lost"},
    {"state": "pending", "next_attempt_at": None},
    {"state": "sending", "next_attempt_at": None},
    {"state": "delivered", "next_attempt_at": None},
    {"lease_until": datetime.fromisoformat("2026-11-24T10:00:00Z")},
    {"finished_at": datetime.fromisoformat("2026-11-24T10:00:00Z")},
    {"event_id": "evt_2"},
]


@pytest.mark.django_db
@pytest.mark.parametrize("change", BROKEN_DELIVERIES)
def test_the_database_refuses_a_delivery_that_contradicts_itself(change: dict[str, Any], now: datetime) -> None:
    delivery = record(now)
    record(now, "evt_2")
    before = rows(Delivery)

    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.filter(id=delivery.id).update(**change)

    assert rows(Delivery) == before


BROKEN_ATTEMPTS = [
    {"number": 0},
    {"number": 1},
    {"outcome": "lost"},
    {"outcome": "delivered"},
    {"finished_at": datetime.fromisoformat("2026-11-24T10:00:00Z")},
]


@pytest.mark.django_db
@pytest.mark.parametrize("change", BROKEN_ATTEMPTS)
def test_the_database_refuses_an_attempt_that_contradicts_itself(change: dict[str, Any], now: datetime) -> None:
    delivery = record(now)
    claim(delivery, now)
    attempt = DeliveryAttempt.objects.create(delivery=delivery, number=2, started_at=now)
    before = rows(DeliveryAttempt)

    with pytest.raises(IntegrityError), transaction.atomic():
        DeliveryAttempt.objects.filter(id=attempt.id).update(**change)

    assert rows(DeliveryAttempt) == before
