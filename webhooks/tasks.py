"""Celery's entry points: read the clock and call the handlers; must not decide anything."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from webhooks import handlers
from webhooks.nudge import DELIVER


@shared_task(name=DELIVER)
def deliver(delivery_id: str) -> None:
    """Makes one delivery; safe to run twice."""
    with bound_contextvars(delivery_id=delivery_id):
        handlers.deliver(UUID(delivery_id), timezone.now())


@shared_task(name="webhooks.sweep_deliveries")
def sweep_deliveries() -> None:
    """Takes up what was lost: nudges pending deliveries again, closes the attempts of crashed workers."""
    handlers.sweep(timezone.now())
