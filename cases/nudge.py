"""Tells the queue to look at a case, by task name; must never fail or slow its caller.

The row is already safe when this runs, so a lost nudge costs time and nothing else: one sweep interval, or with
thousands of events due and workers busy at them up to nine minutes (`measure_turn` in cases/ledger.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from uuid import UUID

from celery import current_app
from django.db import transaction

from webhooks.nudge import send_nudge

LOOK_AT_CASE = "cases.look_at_case"
NUDGES_AT_ONCE = 1000


# The case that this thread's worker goes on looking at until nothing of it is due.
_looked_at: ContextVar[UUID | None] = ContextVar("looked_at", default=None)


@contextmanager
def looking_at(case_id: UUID) -> Iterator[None]:
    """While the body runs nobody is nudged for the case by this thread: the body looks again before it ends.

    A message to itself would cost a worker more than a fifth of an event. If the body ends early, by an error, the
    sweep nudges.
    """
    token = _looked_at.set(case_id)
    try:
        yield
    finally:
        _looked_at.reset(token)


def nudge_on_commit(case_id: UUID) -> None:
    """Asks a worker to look at the case once the caller's transaction is committed."""
    if _looked_at.get() != case_id:
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
