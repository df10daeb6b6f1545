"""Celery's entry points that need every app: read the clock and call; must not decide anything."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from offload.forgetting.limits import clear_what_is_over


@shared_task(name="offload.clear_what_is_over")
def clear() -> None:
    """Empties what clients' limits no longer keep; a second run finds nothing."""
    clear_what_is_over(timezone.now())
