"""Tells the queue to look at a case, by task name; must never fail or slow its caller.

The row is already safe when this runs, so a lost nudge costs one sweep interval and nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

LOOK_AT_CASE = "cases.look_at_case"
PAUSE_AFTER_FAILURE_SECONDS = 5.0

# When the queue is dead each publish costs up to a second or two: one caller pays, the next ones do not try.
_quiet_until = 0.0


def nudge_on_commit(case_id: UUID) -> None:
    """Asks a worker to look at the case once the caller's transaction is committed."""
    transaction.on_commit(lambda: nudge(case_id), robust=True)


def nudge(case_id: UUID) -> bool:
    """Asks a worker to look at the case; returns whether the queue took the message."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        current_app.send_task(LOOK_AT_CASE, args=[str(case_id)], retry=False)
    except OperationalError as error:
        _quiet_until = time.monotonic() + PAUSE_AFTER_FAILURE_SECONDS
        logger.warning("the queue did not take a nudge; the sweep will repeat it: %s", type(error).__name__)
        return False
    return True


def nudge_all(case_ids: Iterable[UUID]) -> int:
    """Asks for every case in batches; returns how many messages the queue took. For the sweep."""
    arguments = [[str(case_id)] for case_id in case_ids]
    if not arguments:
        return 0
    # The batch is what kombu lacks: offload.celery.OffloadCelery adds it.
    return int(current_app.send_batch(LOOK_AT_CASE, arguments))  # type: ignore[attr-defined]
