"""Tells the queue what to look at, by task name; must never fail or slow its caller.

The row is already safe when this runs, so a lost nudge costs one sweep interval and nothing else.
"""

from __future__ import annotations

import logging
import time
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

DELIVER = "webhooks.deliver"
PAUSE_AFTER_FAILURE_SECONDS = 5.0

# When the queue is dead each publish costs up to a second or two: one caller pays, the next ones do not try.
_quiet_until = 0.0


def nudge_on_commit(delivery_id: UUID) -> None:
    """Asks a worker to make the delivery once the caller's transaction is committed."""
    transaction.on_commit(lambda: send_nudge(DELIVER, delivery_id), robust=True)


def send_nudge(task_name: str, subject: UUID) -> bool:
    """Asks a worker to run the task about `subject`; returns whether the queue took the message.

    After a failure nobody in this process tries for 5 s, whatever the task: they share one queue.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        current_app.send_task(task_name, args=[str(subject)], retry=False)
    except OperationalError as error:
        _quiet_until = time.monotonic() + PAUSE_AFTER_FAILURE_SECONDS
        logger.warning("the queue did not take a nudge; the sweep will repeat it: %s", type(error).__name__)
        return False
    return True
