"""Webhook deliveries as rows: queue, claim, record; must not touch the network, which is for `transport.py`.

Like the provider's: at least once, in no promised order, the same `svix-id` on every attempt.
"""

import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Min, Q

from agentmail.sandbox.clock import Moment
from agentmail.sandbox.faults import FaultOrder, take_fault
from agentmail.sandbox.jsontext import JSONObject
from agentmail.sandbox.models import Delivery, DeliveryState, Webhook

# Far quicker than the real provider's 5 s, 5 min, 30 min …: whoever waits here sits in front of it.
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
LATER_RETRY_SECONDS = 60.0
GIVE_UP_AFTER = timedelta(days=1)
# Longer than an attempt may take, so that only a dead process loses its delivery to another.
LEASE = timedelta(seconds=30)
DEFAULT_DELAY_SECONDS = 5.0
# A delivery that `reorder` holds back goes out after this time even when nothing overtakes it.
HOLD_SECONDS = 10.0
# These report what a reply, a bounce or the like caused; only they meet the faults of the webhook channel, so
# that a mail which happens to be sent meanwhile does not use one up.
_UNFAULTED = ("message.sent", "message.delivered")

# Set whenever something may be due at once; the courier's threads wait for it.
WORK_QUEUED = threading.Event()


@dataclass(frozen=True)
class ClaimedDelivery:
    """One attempt that the caller holds until its lease ends."""

    delivery_id: int
    attempt: int
    url: str
    secret: str
    static_headers: dict[str, str]
    svix_id: str
    body: str


def queue_event(event: JSONObject, inbox_id: str, at: Moment) -> None:
    """Queues the event for every enabled webhook that wants it; call it in the transaction that caused it.

    At most one waiting webhook fault is played on it. Events for a disabled webhook are lost, as with the provider.
    """
    event_type = event["event_type"]
    webhooks = [
        webhook
        for webhook in Webhook.objects.filter(enabled=True, event_types__contains=[event_type]).order_by("id")
        if not webhook.inbox_ids or inbox_id in webhook.inbox_ids
    ]
    if not webhooks:
        return
    fault = None if event_type in _UNFAULTED else take_fault("webhook", event_type)
    if fault is not None and fault.kind == "disable":
        _disable(webhooks, at)
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    for webhook in webhooks:
        delivery = Delivery(
            webhook=webhook,
            svix_id=f"msg_{uuid.uuid4().hex}",
            event_id=event["event_id"],
            event_type=event_type,
            body=body,
            next_attempt_at=at.real,
            created_at=at.real,
        )
        _play_fault(delivery, fault)
        delivery.save()
    transaction.on_commit(WORK_QUEUED.set)


def claim_delivery(now: datetime) -> ClaimedDelivery | None:
    """Takes the oldest due delivery for the length of a lease and counts the attempt; None when none is due."""
    with transaction.atomic():
        delivery = (
            Delivery.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("webhook")
            .filter(_waiting(), Q(leased_until=None) | Q(leased_until__lte=now), next_attempt_at__lte=now)
            .order_by("next_attempt_at", "id")
            .first()
        )
        if delivery is None:
            return None
        delivery.state = DeliveryState.PENDING
        delivery.attempts += 1
        delivery.leased_until = now + LEASE
        delivery.save(update_fields=["state", "attempts", "leased_until"])
    return ClaimedDelivery(
        delivery_id=delivery.pk,
        attempt=delivery.attempts,
        url=delivery.webhook.url,
        secret=delivery.webhook.secret,
        static_headers=delivery.webhook.headers,
        svix_id=delivery.svix_id,
        body=delivery.body,
    )


def record_attempt(claimed: ClaimedDelivery, status: int | None, error: str, now: datetime) -> None:
    """Stores how the attempt went: 2xx delivers, anything else is tried again on the schedule for a day.

    Does nothing when the lease was lost to another attempt or the webhook is gone.
    """
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().filter(pk=claimed.delivery_id, attempts=claimed.attempt).first()
        if delivery is None:
            return
        delivery.leased_until = None
        delivery.last_status = status
        delivery.last_error = error
        if status is None or not 200 <= status < 300:
            _schedule_retry(delivery, now)
        elif delivery.extra_copies:
            delivery.extra_copies -= 1
            delivery.next_attempt_at = now
        else:
            delivery.state = DeliveryState.DELIVERED
            delivery.delivered_at = now
            _release_held(delivery, now)
        delivery.save()


def seconds_until_due(now: datetime) -> float | None:
    """Returns how long until the next delivery is due, 0 or less for at once; None when nothing waits."""
    waiting = Delivery.objects.filter(_waiting(), leased_until=None).aggregate(due=Min("next_attempt_at"))
    due: datetime | None = waiting["due"]
    return None if due is None else (due - now).total_seconds()


def release_leases() -> None:
    """Makes attempts that a dead process left behind due again; only for the start of the one process."""
    Delivery.objects.filter(state=DeliveryState.PENDING).exclude(leased_until=None).update(leased_until=None)


def list_deliveries(limit: int) -> JSONObject:
    """Returns how many deliveries wait, and the newest `limit` with how they stand, newest first."""
    rows = Delivery.objects.order_by("-id").values(
        "svix_id",
        "event_id",
        "event_type",
        "state",
        "attempts",
        "last_status",
        "last_error",
        "created_at",
        "delivered_at",
        url=F("webhook__url"),
    )[:limit]
    return {"pending": Delivery.objects.filter(_waiting()).count(), "deliveries": list(rows)}


def _waiting() -> Q:
    # Written out so that PostgreSQL recognizes the condition of the partial index.
    return Q(state__in=[DeliveryState.PENDING, DeliveryState.HELD], webhook__enabled=True)


def _play_fault(delivery: Delivery, fault: FaultOrder | None) -> None:
    if fault is None:
        return
    if fault.kind == "duplicate":
        delivery.extra_copies = 1
    elif fault.kind in ("drop", "disable"):
        delivery.state = DeliveryState.DROPPED
    elif fault.kind == "delay":
        seconds = DEFAULT_DELAY_SECONDS if fault.seconds is None else fault.seconds
        delivery.next_attempt_at += timedelta(seconds=seconds)
    elif fault.kind == "reorder":
        seconds = HOLD_SECONDS if fault.seconds is None else fault.seconds
        delivery.state = DeliveryState.HELD
        delivery.next_attempt_at += timedelta(seconds=seconds)


def _disable(webhooks: Sequence[Webhook], at: Moment) -> None:
    # What the provider does after failures over days; it never makes up for what happened until somebody enables it.
    ids = [webhook.pk for webhook in webhooks]
    Webhook.objects.filter(pk__in=ids).update(enabled=False, updated_at=at.provider)


def _schedule_retry(delivery: Delivery, now: datetime) -> None:
    if now - delivery.created_at >= GIVE_UP_AFTER:
        delivery.state = DeliveryState.EXHAUSTED
        return
    failed = delivery.attempts
    seconds = RETRY_SECONDS[failed - 1] if failed <= len(RETRY_SECONDS) else LATER_RETRY_SECONDS
    delivery.next_attempt_at = now + timedelta(seconds=seconds)


def _release_held(overtaking: Delivery, now: datetime) -> None:
    Delivery.objects.filter(state=DeliveryState.HELD, webhook_id=overtaking.webhook_id, pk__lt=overtaking.pk).update(
        state=DeliveryState.PENDING, next_attempt_at=now
    )
