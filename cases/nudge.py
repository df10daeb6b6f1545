"""Tells the queue to look at a case, by task name; must never fail or slow its caller.

The row is already safe when this runs, so a lost nudge costs one sweep interval and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from uuid import UUID

from celery import current_app
from django.db import transaction

from webhooks.nudge import send_nudge

LOOK_AT_CASE = "cases.look_at_case"
NUDGES_AT_ONCE = 1000


def nudge_on_commit(case_id: UUID) -> None:
    """Asks a worker to look at the case once the caller's transaction is committed."""
    transaction.on_commit(lambda: send_nudge(LOOK_AT_CASE, case_id), robust=True)


def nudge_all(case_ids: Iterable[UUID]) -> int:
    """Asks for every case in batches; returns how many messages the queue took. For the sweep.

    Takes the ids as they come and holds 1,000 of them at most. Takes them to the end even when the queue refuses,
    because the iterator may be what records the work; the queue is then left alone, and the event sweep asks again.
    """
    sent, is_open, waiting = 0, True, iter(case_ids)
    while chunk := list(islice(waiting, NUDGES_AT_ONCE)):
        if is_open:
            # The batch is what kombu lacks: offload.celery.OffloadCelery adds it.
            arguments = [[str(case_id)] for case_id in chunk]
            taken = int(current_app.send_batch(LOOK_AT_CASE, arguments))  # type: ignore[attr-defined]
            sent, is_open = sent + taken, taken == len(chunk)
    return sent
