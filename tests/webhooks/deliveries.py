"""Deliveries for tests, made and read through the product's own services; must not assert."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model

from webhooks.models import Delivery
from webhooks.services import Claimed, claim_delivery, record_delivery

LEASE_S = 60
OWNER = UUID("8d2f5c1e-3b7a-4f7e-9a55-0a4f5f0a1c11")
# Whoever's policy a delivery has; nobody's unless a test says so.
SUBSCRIBER = UUID("c1e7d3a0-5f4b-4e3c-8d57-1f9a3f6b7e42")
EVENT: dict[str, Any] = {"event_id": "evt_1", "event_type": "case.completed", "timestamp": 1774131900000, "data": {}}


def record(now: datetime, event_id: str = "evt_1", **changes: Any) -> Delivery:
    wanted: dict[str, Any] = {
        "owner": OWNER,
        "url": "https://example.com/hook?token=1",
        "event_id": event_id,
        "event_type": "case.completed",
        "body": EVENT,
    }
    return record_delivery(**wanted | changes, now=now)


def claim(delivery: Delivery, now: datetime) -> Claimed:
    claimed = claim_delivery(delivery.id, now, LEASE_S)
    if claimed is None:
        raise LookupError("there was nothing to claim")
    return claimed


def rows(model: type[Model]) -> list[dict[str, Any]]:
    return [dict(row) for row in model._default_manager.order_by("pk").values()]
