"""How endpoints fare, and which are paused; database only, must not call one.

An endpoint is a URL without its query and fragment, of one subscriber: a token in the query is no other endpoint, and
two paths of one host can belong to two programs (ADR 15). Only subscribers who opted in to retries have any.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef

from webhooks.models import HELD_UNTIL, Delivery, Endpoint
from webhooks.outcomes import DeliveryState, Verdict
from webhooks.retry import should_pause

logger = logging.getLogger(__name__)

_IS_WAITED_FOR = Exists(Delivery.objects.filter(held_by=OuterRef("pk")))


@dataclass(frozen=True, slots=True)
class Paused:
    """A paused endpoint, and how many deliveries wait for it."""

    endpoint: Endpoint
    waiting: int


def find_paused(subscriber: UUID, url: str) -> Endpoint | None:
    """Returns the endpoint that a URL belongs to if it is paused."""
    return Endpoint.objects.filter(subscriber=subscriber, url_digest=_digest(url), paused_at__isnull=False).first()


def note_success(subscriber: UUID, url: str) -> None:
    """Notes that an endpoint took a webhook; writes only when it had failed before."""
    Endpoint.objects.filter(
        subscriber=subscriber, url_digest=_digest(url), failing_since__isnull=False, paused_at=None
    ).update(failing_since=None)


def note_failure(subscriber: UUID, url: str, verdict: Verdict, now: datetime) -> None:
    """Notes that an endpoint did not take a webhook, and pauses it when that has gone on for too long.

    Must run in a transaction; the endpoint's row is locked until it ends.
    """
    digest = _digest(url)
    Endpoint.objects.bulk_create(
        [Endpoint(subscriber=subscriber, url_digest=digest, origin=get_origin(url), failing_since=now)],
        ignore_conflicts=True,
    )
    endpoint = Endpoint.objects.select_for_update(no_key=True).get(subscriber=subscriber, url_digest=digest)
    endpoint.failing_since = endpoint.failing_since or now
    endpoint.last_failure_at = now
    endpoint.last_error = verdict.error
    if endpoint.paused_at is None and should_pause(
        failing_since=endpoint.failing_since, status_code=verdict.status_code, now=now
    ):
        endpoint.paused_at = now
        logger.error("webhooks to %s are paused until somebody resumes them: %s", endpoint.origin, verdict.error)
    endpoint.save()


def hold(delivery: Delivery, endpoint: Endpoint) -> None:
    """Makes a delivery wait for a paused endpoint. The caller holds the delivery's row."""
    delivery.held_by = endpoint
    delivery.next_attempt_at = HELD_UNTIL
    delivery.save(update_fields=["held_by", "next_attempt_at"])


def release_held(now: datetime, limit: int) -> int:
    """Makes due what was held for endpoints that are paused no more, up to `limit`; returns how many.

    A sweep does this and not the resume: an attempt that is claimed at that very moment is found by the next sweep.
    """
    # Endpoint by endpoint: a join would read every delivery that a paused one holds, at every sweep.
    resumed = Endpoint.objects.filter(_IS_WAITED_FOR, paused_at=None).values_list("pk", flat=True)
    with transaction.atomic():
        released = list(
            Delivery.objects.select_for_update(skip_locked=True)
            .filter(held_by__in=list(resumed), state=DeliveryState.PENDING)
            .values_list("pk", flat=True)[:limit]
        )
        return Delivery.objects.filter(pk__in=released).update(
            held_by=None, next_attempt_at=now, nudged_at=None, nudges=0
        )


def resume_endpoint(endpoint_id: int, *, by: str, now: datetime) -> bool:
    """Lets webhooks go out to a paused endpoint again; returns False, and changes nothing, when it is not paused.

    What waits for it goes out within a sweep or two. Its five days begin anew.
    """
    return (
        Endpoint.objects.filter(pk=endpoint_id, paused_at__isnull=False).update(
            paused_at=None, failing_since=None, resumed_at=now, resumed_by=by
        )
        == 1
    )


def list_paused(subscriber: UUID | None = None) -> list[Paused]:
    """Returns the paused endpoints of one subscriber or of all, the longest paused first; two queries."""
    paused = Endpoint.objects.filter(paused_at__isnull=False).order_by("paused_at", "pk")
    found = list(paused if subscriber is None else paused.filter(subscriber=subscriber))
    waiting = count_waiting([endpoint.pk for endpoint in found])
    return [Paused(endpoint, waiting.get(endpoint.pk, 0)) for endpoint in found]


def count_waiting(endpoint_ids: list[int]) -> dict[int, int]:
    """Returns how many deliveries wait for each endpoint; one for which none waits is left out."""
    held = Delivery.objects.filter(held_by__in=endpoint_ids).order_by().values_list("held_by")
    return {endpoint_id: count for endpoint_id, count in held.annotate(Count("pk")) if endpoint_id is not None}


def count_paused() -> int:
    """Returns how many endpoints are paused."""
    return Endpoint.objects.filter(paused_at__isnull=False).count()


def get_origin(url: str) -> str:
    """Returns scheme, host and port of a URL; neither its path nor its query, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _digest(url: str) -> str:
    parts = urlsplit(url)
    plain = parts._replace(netloc=parts.netloc.lower(), query="", fragment="").geturl()
    return hashlib.sha256(plain.encode(errors="surrogatepass")).hexdigest()
