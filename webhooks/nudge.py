"""Tells the queue what to look at, by task name; must never fail or slow its caller.

The row is already safe when this runs, so a lost nudge costs time and nothing else.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from webhooks.background import BackgroundSender

logger = logging.getLogger(__name__)

DELIVER = "webhooks.deliver"
PAUSE_AFTER_FAILURE_SECONDS = 5.0

# When the queue is dead each publish costs up to a second or two: one caller pays, the next ones do not try.
_quiet_until = 0.0
_background: BackgroundSender | None = None


def nudge_on_commit(delivery_id: UUID) -> None:
    """Asks a worker to make the delivery once the caller's transaction is committed."""
    transaction.on_commit(lambda: send_nudge(DELIVER, delivery_id), robust=True)


def send_nudge(task_name: str, subject: UUID) -> bool:
    """Asks a worker to run the task about `subject`; returns whether the queue, or the thread before it, took it.

    After a failure nobody in this process tries for 5 s, whatever the task: they share one queue.
    """
    if time.monotonic() < _quiet_until:
        return False
    if _background is not None:
        return _background.add(task_name, str(subject))
    try:
        current_app.send_task(task_name, args=[str(subject)], retry=False)
    except OperationalError as error:
        logger.warning("the queue did not take a nudge; the sweep will repeat it: %s", type(error).__name__)
        _be_quiet()
        return False
    return True


def send_in_background() -> None:
    """Lets a thread send this process's nudges from here on: for web processes, whose clients wait for an answer.

    Also in the processes that fork from this one. What waits when a process ends in good order is sent first. A
    second call changes nothing.
    """
    global _background
    if _background is None:
        _background = BackgroundSender(_send_batch)
        os.register_at_fork(after_in_child=_background.begin_anew)
        atexit.register(_background.stop)


def _send_batch(task_name: str, subjects: list[str]) -> None:
    if time.monotonic() < _quiet_until:
        return
    # The batch is what kombu lacks: offload.celery.OffloadCelery adds it, and logs what the queue does not take.
    taken = 0
    try:
        taken = current_app.send_batch(task_name, [[subject] for subject in subjects])  # type: ignore[attr-defined]
    finally:
        # Also when it raises, or the log would fill with a trace for every batch.
        if taken < len(subjects):
            _be_quiet()


def _be_quiet() -> None:
    global _quiet_until
    _quiet_until = time.monotonic() + PAUSE_AFTER_FAILURE_SECONDS
