"""Records deliveries, claims them, and stores what became of them; database only, must not talk to the network.

A delivery gets one attempt by default, also across crashes: its attempt row is committed before the POST, and an
attempt whose answer was never recorded becomes `unknown` and is not repeated (docs/api/webhooks.md). A subscriber who
opted in to retries gets the schedule of `webhooks.retry`; a wait is a row whose time the sweep reads.

Rows are locked in one order: delivery, policy, endpoint, total.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from webhooks import endpoints, policies
from webhooks.models import FINAL_STATES, UNDELIVERED_STATES, Delivery, DeliveryAttempt
from webhooks.nudge import nudge_on_commit
from webhooks.outcomes import Answered, AttemptOutcome, DeliveryState, PostOutcome, Unknown, Verdict, judge
from webhooks.retry import plan_retry
from webhooks.totals import count_attempt

logger = logging.getLogger(__name__)

BATCH_SIZE = 100
# Each sweep reads past all that it nudged before, so many small batches would read a long line over and over.
SWEPT_AT_ONCE = 10_000
RESENT_AT_ONCE = 1000
SHORTEST_PATIENCE_S, LONGEST_PATIENCE_S = 60.0, 600.0
REPEATED_NUDGES_PER_SECOND = 10
CRASHED = "The worker stopped before it recorded the answer."
# What cannot be signed waits for whoever mends the settings, and does not count as an attempt.
UNSIGNABLE = "It cannot be signed: OFFLOAD_SECRET_KEY is not the one that the client's secret was made with."
UNSIGNABLE_WAITS = timedelta(minutes=5)
SETTLED_FIELDS = (
    "state",
    "tries",
    "next_attempt_at",
    "lease_until",
    "finished_at",
    "nudged_at",
    "nudges",
    "last_error",
)

# From 0 to below 1; the system's, because it is shared by every thread.
Draw = Callable[[], float]
draw_luck: Draw = random.SystemRandom().random

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
    secrets: tuple[str, ...] = field(default=(), repr=False)


def record_delivery(
    *,
    owner: UUID,
    url: str,
    event_id: str,
    event_type: str,
    body: dict[str, Any],
    now: datetime,
    subscriber: UUID | None = None,
) -> Delivery:
    """Stores what is to be sent, in the caller's transaction, and nudges the queue on commit.

    owner: what the event is about. subscriber: whose policy and secrets apply; None means one unsigned attempt. The
    body is frozen as the text that is sent. A second call with the same `event_id` returns the first delivery
    unchanged. Raises ValueError when the body holds NaN or Infinity, which are not JSON.
    """
    fresh = Delivery(
        owner=owner,
        subscriber=subscriber,
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

    Returns None when there is nothing to do: no such delivery, not due yet, attempted by another worker, done, made
    to wait for a paused endpoint, or to be signed by a secret that cannot be read. Also while somebody else holds its
    row, such as an erasure; the sweep then nudges it again. Raises RuntimeError inside a transaction, since the
    attempt must be on record before anything leaves.
    """
    with transaction.atomic(durable=True):
        # The lock holds the row, so nobody else counts attempts of this delivery at the same time. It is not waited
        # for: `now` would be long past, and with it the lease and the time that is signed.
        delivery = (
            Delivery.objects.select_for_update(no_key=True, skip_locked=True)
            .filter(id=delivery_id, state=DeliveryState.PENDING, next_attempt_at__lte=now)
            .first()
        )
        if delivery is None:
            return None
        try:
            terms = policies.read_terms(delivery.subscriber, now)
        except policies.SecretUnreadable:
            _put_off(delivery, now)
            return None
        paused = None
        if delivery.subscriber is not None and terms.retries:
            paused = endpoints.find_paused(delivery.subscriber, delivery.url)
        if paused is not None:
            endpoints.hold(delivery, paused)
            return None
        attempt = _begin_attempt(delivery, terms, now, lease_s)
    return Claimed(
        delivery_id=delivery.id,
        number=attempt.number,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        url=delivery.url,
        body=delivery.body.encode(),
        started_at=now,
        secrets=terms.secrets,
    )


def _put_off(delivery: Delivery, now: datetime) -> None:
    logger.error("webhook %s waits: %s", delivery.event_id, UNSIGNABLE)
    delivery.next_attempt_at = now + UNSIGNABLE_WAITS
    delivery.nudged_at, delivery.nudges, delivery.last_error = None, 0, UNSIGNABLE
    delivery.save(update_fields=["next_attempt_at", "nudged_at", "nudges", "last_error"])


def _begin_attempt(delivery: Delivery, terms: policies.Terms, now: datetime, lease_s: float) -> DeliveryAttempt:
    attempt = DeliveryAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts.count() + 1,
        started_at=now,
        signatures=len(terms.secrets),
        asked_by=delivery.asked_by,
    )
    delivery.state, delivery.next_attempt_at = DeliveryState.SENDING, None
    delivery.lease_until = now + timedelta(seconds=lease_s)
    delivery.asked_by = ""
    delivery.save(update_fields=["state", "next_attempt_at", "lease_until", "asked_by"])
    return attempt


def finish_attempt(claim: Claimed, outcome: PostOutcome, now: datetime, draw: Draw = draw_luck) -> bool:
    """Stores what became of a claimed attempt; returns False, and changes nothing, when it is closed already.

    That is so on a second call, when the lease ran out and `close_crashed` declared the attempt unknown, and when
    the delivery was erased. `draw` spreads the wait until the next attempt, if there is one.
    """
    waited_ms = (now - claim.started_at) // timedelta(milliseconds=1)
    with transaction.atomic():
        # The delivery first, as `close_crashed` does: the same order keeps the two from a deadlock.
        delivery = Delivery.objects.select_for_update(no_key=True).filter(id=claim.delivery_id).first()
        if delivery is None:
            return False
        duration_ms = outcome.duration_ms if isinstance(outcome, Answered) else max(0, waited_ms)
        if not _close_attempt(delivery, judge(outcome), now, number=claim.number, duration_ms=duration_ms):
            return False
        _settle(delivery, outcome, now, draw)
    return True


def close_crashed(now: datetime, limit: int = BATCH_SIZE, draw: Draw = draw_luck) -> list[str]:
    """Declares unknown the attempts whose lease is over and whose answer was never recorded, up to `limit`.

    Returns their event ids. By default they are not repeated, since the request may have arrived. A second call finds
    none of them. Each is a transaction of its own: one that held many policies could wait for another in a circle.
    """
    closed: list[str] = []
    while len(closed) < limit and (event_id := _close_longest_overdue(now, draw)) is not None:
        closed.append(event_id)
    return closed


def _close_longest_overdue(now: datetime, draw: Draw) -> str | None:
    with transaction.atomic():
        crashed = (
            Delivery.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(state=DeliveryState.SENDING, lease_until__lt=now)
            .order_by("lease_until")
            .first()
        )
        if crashed is None:
            return None
        outcome = Unknown(CRASHED)
        _close_attempt(crashed, judge(outcome), now)
        _settle(crashed, outcome, now, draw)
    return crashed.event_id


def _close_attempt(
    delivery: Delivery, verdict: Verdict, now: datetime, *, number: int | None = None, duration_ms: int | None = None
) -> bool:
    """Stores the end of the open attempt, of the one with this number if one is given; returns whether it was open."""
    open_ones = DeliveryAttempt.objects.filter(delivery=delivery, outcome=AttemptOutcome.OPEN)
    closed = (open_ones if number is None else open_ones.filter(number=number)).update(
        outcome=verdict.outcome,
        finished_at=now,
        status_code=verdict.status_code,
        first_bytes=verdict.first_bytes,
        error=verdict.error,
        duration_ms=duration_ms,
    )
    return closed > 0


def _settle(delivery: Delivery, outcome: PostOutcome, now: datetime, draw: Draw) -> None:
    """Stores what an ended attempt means for its delivery and its endpoint, and counts it."""
    verdict = judge(outcome)
    next_attempt_at = None
    delivery.tries += 1
    if delivery.subscriber is not None and policies.lock_retries(delivery.subscriber):
        if verdict.outcome == AttemptOutcome.DELIVERED:
            endpoints.note_success(delivery.subscriber, delivery.url)
        else:
            endpoints.note_failure(delivery.subscriber, delivery.url, verdict, now)
            next_attempt_at = plan_retry(
                tries=delivery.tries,
                status_code=verdict.status_code,
                retry_after=outcome.retry_after if isinstance(outcome, Answered) else "",
                now=now,
                luck=draw(),
            )
    is_over = next_attempt_at is None
    delivery.state = DeliveryState(verdict.outcome) if is_over else DeliveryState.PENDING
    delivery.next_attempt_at, delivery.lease_until = next_attempt_at, None
    delivery.finished_at = now if is_over else None
    delivery.nudged_at = delivery.nudged_at if is_over else None
    delivery.nudges = delivery.nudges if is_over else 0
    delivery.last_error = verdict.error
    delivery.save(update_fields=SETTLED_FIELDS)
    count_attempt(delivery.id, verdict.outcome)


def measure_patience(now: datetime) -> float:
    """Returns the most seconds that an unfollowed nudge is waited for: 60, or more where more is due, up to 600.

    So a queue that lost its messages costs a minute, and a slow one is given no more than ten repeats a second.
    """
    # Beyond the longest patience no number changes the answer, and to count a million takes half a second.
    counted = int(LONGEST_PATIENCE_S * REPEATED_NUDGES_PER_SECOND)
    pending = Delivery.objects.filter(state=DeliveryState.PENDING, next_attempt_at__lte=now)[:counted].count()
    return min(max(pending / REPEATED_NUDGES_PER_SECOND, SHORTEST_PATIENCE_S), LONGEST_PATIENCE_S)


def sweep_due(now: datetime, limit: int = SWEPT_AT_ONCE, patience_s: float = LONGEST_PATIENCE_S) -> list[UUID]:
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


class NotResendable(Exception):
    """Nothing was changed; the message is one sentence for whoever asked."""


def resend_delivery(delivery_id: UUID, *, by: str, now: datetime) -> Delivery:
    """Makes a delivery due again, with the same `event_id` and body; a retry that waits is made at once instead.

    It gets one attempt, or the whole schedule anew where the subscriber opted in to retries. Of two calls at once the
    second is refused. Raises NotResendable when it is on its way, waits for a paused endpoint, or does not exist.
    """
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update(no_key=True).filter(id=delivery_id).first()
        if delivery is None:
            raise NotResendable("There is no such delivery.")
        if delivery.state == DeliveryState.SENDING:
            raise NotResendable("It is being sent at this moment; look again in a minute.")
        if delivery.held_by_id is not None:
            raise NotResendable("It waits for a paused endpoint; resume the endpoint, and it goes out by itself.")
        if delivery.next_attempt_at is not None and delivery.next_attempt_at <= now:
            raise NotResendable("It waits for a worker already, and goes out within seconds.")
        _make_due(delivery, by, now)
    return delivery


def _make_due(delivery: Delivery, by: str, now: datetime) -> None:
    if delivery.state in FINAL_STATES:
        delivery.tries = 0
    delivery.state, delivery.next_attempt_at, delivery.finished_at = DeliveryState.PENDING, now, None
    delivery.nudged_at, delivery.nudges, delivery.asked_by = now, 1, by
    delivery.save()
    nudge_on_commit(delivery.id)


def list_undelivered(subscriber: UUID, since: datetime | None = None) -> QuerySet[Delivery]:
    """Returns a subscriber's deliveries that ended failed or unknown, at or after `since`, in order of time."""
    ended = Delivery.objects.filter(subscriber=subscriber, state__in=UNDELIVERED_STATES)
    return (ended if since is None else ended.filter(finished_at__gte=since)).order_by("finished_at", "id")


def resend_undelivered(subscriber: UUID, *, since: datetime | None = None, by: str, now: datetime) -> int:
    """Makes every undelivered delivery of a subscriber due again and returns how many; a second call finds none.

    In batches, each a transaction of its own. They leave through the sweep, at the pace of the workers, and not in
    one burst of nudges. What fails after `now` stays for the next call.
    """
    resent = 0
    while True:
        with transaction.atomic():
            batch = list_undelivered(subscriber, since).filter(finished_at__lte=now)
            free = batch.select_for_update(skip_locked=True, no_key=True)
            ids = list(free.values_list("id", flat=True)[:RESENT_AT_ONCE])
            Delivery.objects.filter(id__in=ids).update(
                state=DeliveryState.PENDING,
                next_attempt_at=now,
                finished_at=None,
                tries=0,
                nudged_at=None,
                nudges=0,
                asked_by=by,
            )
        resent += len(ids)
        if len(ids) < RESENT_AT_ONCE:
            return resent


def list_deliveries(owner: UUID) -> list[Delivery]:
    """Returns an owner's deliveries, oldest first, each with its attempts already loaded."""
    return list(Delivery.objects.filter(owner=owner).order_by("created_at", "id").prefetch_related("attempts"))
