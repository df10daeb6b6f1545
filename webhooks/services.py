"""Records deliveries, claims them, and stores what became of them; database only, must not talk to the network.

A delivery gets one attempt by default, also across crashes: its attempt row is committed before the POST, and an
attempt whose answer was never recorded becomes `unknown` and is not repeated (docs/api/webhooks.md).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from webhooks.models import Delivery, DeliveryAttempt
from webhooks.nudge import nudge_on_commit
from webhooks.outcomes import Answered, AttemptOutcome, DeliveryState, PostOutcome, judge

logger = logging.getLogger(__name__)

BATCH_SIZE = 100
SHORTEST_PATIENCE_S, LONGEST_PATIENCE_S = 60.0, 600.0
REPEATED_NUDGES_PER_SECOND = 10
CRASHED = "The worker stopped before it recorded the answer."

# A fixed interval would fill a slow queue with copies of the same nudges, so each one doubles the wait to the next.
SWEEP = """
    WITH due AS (
        SELECT id FROM webhooks_delivery
        WHERE state = 'pending' AND next_attempt_at <= %(now)s
          AND (nudged_at IS NULL
               OR nudged_at <= %(now)s - LEAST(%(patience)s, 10 * 2 ^ LEAST(nudges, 6)) * interval '1 second')
        ORDER BY next_attempt_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    UPDATE webhooks_delivery AS delivery
    SET nudged_at = %(now)s, nudges = nudges + 1
    FROM due WHERE delivery.id = due.id
    RETURNING delivery.id
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt that its holder alone may make: its row is committed and its answer is still open."""

    delivery_id: UUID
    number: int
    event_id: str
    event_type: str
    url: str
    body: bytes
    started_at: datetime


def record_delivery(
    *, owner: UUID, url: str, event_id: str, event_type: str, body: dict[str, Any], now: datetime
) -> Delivery:
    """Stores what is to be sent, in the caller's transaction, and nudges the queue on commit.

    The body is frozen as the text that is sent. A second call with the same `event_id` returns the first delivery
    unchanged. Raises ValueError when the body holds NaN or Infinity, which are not JSON.
    """
    fresh = Delivery(
        owner=owner,
        url=url,
        event_id=event_id,
        event_type=event_type,
        # ASCII only: a lone surrogate in a client's metadata could be neither stored nor sent as UTF-8.
        body=json.dumps(body, allow_nan=False, separators=(",", ":")),
        created_at=now,
        next_attempt_at=now,
        nudged_at=now,
        nudges=1,
    )
    Delivery.objects.bulk_create([fresh], ignore_conflicts=True)
    stored = Delivery.objects.get(event_id=event_id)
    if stored.id == fresh.id:
        nudge_on_commit(stored.id)
    elif (stored.body, stored.url) != (fresh.body, fresh.url):
        logger.warning("webhook %s was recorded before with another body or URL; the first stays", event_id)
    return stored


def claim_delivery(delivery_id: UUID, now: datetime, lease_s: float) -> Claimed | None:
    """Commits the row of a new attempt and returns it; the caller then makes the POST, within `lease_s` seconds.

    Returns None when there is nothing to do: no such delivery, not due yet, attempted by another worker, or done.
    Raises RuntimeError inside a transaction, since the attempt must be on record before anything leaves.
    """
    with transaction.atomic(durable=True):
        claimed = Delivery.objects.filter(id=delivery_id, state=DeliveryState.PENDING, next_attempt_at__lte=now).update(
            state=DeliveryState.SENDING, next_attempt_at=None, lease_until=now + timedelta(seconds=lease_s)
        )
        if not claimed:
            return None
        # The update holds the row, so nobody else counts attempts of this delivery at the same time.
        delivery = Delivery.objects.get(id=delivery_id)
        attempt = DeliveryAttempt.objects.create(
            delivery=delivery, number=delivery.attempts.count() + 1, started_at=now
        )
    return Claimed(
        delivery_id=delivery.id,
        number=attempt.number,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        url=delivery.url,
        body=delivery.body.encode(),
        started_at=now,
    )


def finish_attempt(claim: Claimed, outcome: PostOutcome, now: datetime) -> bool:
    """Stores what became of a claimed attempt; returns False, and changes nothing, when it is closed already.

    That is so on a second call, when the lease ran out and `close_crashed` declared the attempt unknown, and when
    the delivery was erased.
    """
    verdict = judge(outcome)
    waited_ms = (now - claim.started_at) // timedelta(milliseconds=1)
    with transaction.atomic():
        # The delivery first, as `close_crashed` does: the same order keeps the two from a deadlock.
        delivery = Delivery.objects.select_for_update().filter(id=claim.delivery_id).first()
        if delivery is None:
            return False
        closed = DeliveryAttempt.objects.filter(
            delivery=delivery, number=claim.number, outcome=AttemptOutcome.OPEN
        ).update(
            outcome=verdict.outcome,
            finished_at=now,
            status_code=verdict.status_code,
            first_bytes=verdict.first_bytes,
            error=verdict.error,
            duration_ms=outcome.duration_ms if isinstance(outcome, Answered) else max(0, waited_ms),
        )
        if not closed:
            return False
        delivery.state = DeliveryState(verdict.outcome)
        delivery.lease_until = None
        delivery.finished_at = now
        delivery.last_error = verdict.error
        delivery.save(update_fields=["state", "lease_until", "finished_at", "last_error"])
    return True


def close_crashed(now: datetime, limit: int = BATCH_SIZE) -> list[str]:
    """Declares unknown the attempts whose lease is over and whose answer was never recorded, up to `limit`.

    Returns their event ids. They are not repeated: the request may have arrived. A second call finds none of them.
    """
    with transaction.atomic():
        crashed = list(
            Delivery.objects.select_for_update(skip_locked=True)
            .filter(state=DeliveryState.SENDING, lease_until__lt=now)
            .order_by("lease_until")[:limit]
        )
        DeliveryAttempt.objects.filter(delivery__in=crashed, outcome=AttemptOutcome.OPEN).update(
            outcome=AttemptOutcome.UNKNOWN, finished_at=now, error=CRASHED
        )
        Delivery.objects.filter(id__in=[delivery.id for delivery in crashed]).update(
            state=DeliveryState.UNKNOWN, lease_until=None, finished_at=now, last_error=CRASHED
        )
    return [delivery.event_id for delivery in crashed]


def measure_patience() -> float:
    """Returns the most seconds that an unfollowed nudge is waited for: 60, or more where more is open, up to 600.

    So a queue that lost its messages costs a minute, and a slow one is given no more than ten repeats a second.
    """
    # Beyond the longest patience no number changes the answer, and to count a million takes half a second.
    counted = int(LONGEST_PATIENCE_S * REPEATED_NUDGES_PER_SECOND)
    pending = Delivery.objects.filter(state=DeliveryState.PENDING)[:counted].count()
    return min(max(pending / REPEATED_NUDGES_PER_SECOND, SHORTEST_PATIENCE_S), LONGEST_PATIENCE_S)


def sweep_due(now: datetime, limit: int = BATCH_SIZE, patience_s: float = LONGEST_PATIENCE_S) -> list[UUID]:
    """Nudges the queue, on commit, about pending deliveries that are due, up to `limit`; returns their ids.

    One that was nudged waits 20 s for its next nudge, then twice as long each time, `patience_s` at most. Any number
    of sweeps may run at once: none nudges what another has just taken.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(SWEEP, {"now": now, "limit": limit, "patience": patience_s})
            due = [row[0] for row in cursor.fetchall()]
        for delivery_id in due:
            nudge_on_commit(delivery_id)
    return due


def list_deliveries(owner: UUID) -> list[Delivery]:
    """Returns an owner's deliveries, oldest first, each with its attempts already loaded."""
    return list(Delivery.objects.filter(owner=owner).order_by("created_at", "id").prefetch_related("attempts"))
