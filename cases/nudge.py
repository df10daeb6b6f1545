"""Tells the queue to look at a case, by task name; must never fail or slow its caller.

The row is already safe when this runs, so a lost nudge costs one sweep interval and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from celery import current_app
from django.db import transaction

from webhooks.nudge import send_nudge

LOOK_AT_CASE = "cases.look_at_case"


def nudge_on_commit(case_id: UUID) -> None:
    """Asks a worker to look at the case once the caller's transaction is committed."""
    transaction.on_commit(lambda: send_nudge(LOOK_AT_CASE, case_id), robust=True)


def nudge_all(case_ids: Iterable[UUID]) -> int:
    """Asks for every case in batches; returns how many messages the queue took. For the sweep."""
    arguments = [[str(case_id)] for case_id in case_ids]
    if not arguments:
        return 0
    # The batch is what kombu lacks: offload.celery.OffloadCelery adds it.
    return int(current_app.send_batch(LOOK_AT_CASE, arguments))  # type: ignore[attr-defined]
