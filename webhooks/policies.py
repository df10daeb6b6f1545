"""What a subscriber opted in to, and the secrets that sign for it; database only, must not show a secret twice."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, Q, Subquery

from webhooks.models import Delivery, DeliveryAttempt, DeliveryPolicy, Endpoint, SigningSecret
from webhooks.outcomes import DeliveryState
from webhooks.signing import SALT_BYTES, derive_secret, get_fingerprint

OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)


class SecretUnreadable(Exception):
    """The installation's key is not the one that the subscriber's secret was made with."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How one attempt is made: signed with these secrets (none: unsigned), and retried or not."""

    secrets: tuple[str, ...] = field(default=(), repr=False)
    retries: bool = False


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that was just made: the only moment at which its text is shown."""

    row: SigningSecret
    secret: str = field(repr=False)


def read_terms(subscriber: UUID | None, now: datetime) -> Terms:
    """Returns how an attempt for a subscriber is made at `now`; at most two queries, one without an opt-in.

    Raises SecretUnreadable when it has to be signed and cannot.
    """
    policy = None if subscriber is None else DeliveryPolicy.objects.filter(subscriber=subscriber).first()
    if policy is None:
        return Terms()
    return Terms(_read_secrets(policy.subscriber, now) if policy.signs else (), policy.retries)


def lock_retries(subscriber: UUID | None) -> bool:
    """Returns whether a subscriber opted in to retries, and keeps it so until the caller's transaction ends."""
    if subscriber is None:
        return False
    locked = DeliveryPolicy.objects.select_for_update(no_key=True).filter(subscriber=subscriber).first()
    return locked is not None and locked.retries


def get_policy(subscriber: UUID) -> DeliveryPolicy | None:
    """Returns what a subscriber opted in to, None for nothing."""
    return DeliveryPolicy.objects.filter(subscriber=subscriber).first()


def list_secrets(subscriber: UUID, now: datetime) -> list[SigningSecret]:
    """Returns the secrets that sign at `now`, the newest first."""
    return list(SigningSecret.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), subscriber=subscriber))


def change_policy(
    subscriber: UUID, *, signs: bool | None = None, retries: bool | None = None, by: str, now: datetime
) -> NewSecret | None:
    """Turns signing and retries on or off; None leaves one as it is. A second call changes nothing.

    Returns the secret that was made, when signing is turned on and there was none. It holds for every attempt that
    begins afterwards. Without retries, what waits for one ends as its last attempt did, and no endpoint is paused.
    """
    with transaction.atomic():
        policy = _lock_policy(subscriber, now)
        before = (policy.signs, policy.retries)
        policy.signs = policy.signs if signs is None else signs
        policy.retries = policy.retries if retries is None else retries
        if before != (policy.signs, policy.retries):
            policy.changed_at = now
            policy.save()
        if before[1] and not policy.retries:
            _end_retries(subscriber, now)
        has_secret = SigningSecret.objects.filter(subscriber=subscriber, expires_at=None).exists()
        return None if has_secret or not policy.signs else _make_secret(subscriber, by, now)


def rotate_secret(subscriber: UUID, *, by: str, now: datetime, overlap: timedelta = OVERLAP) -> NewSecret:
    """Makes a secret and returns it; the ones before sign beside it for `overlap`, at most 30 days.

    An overlap of zero ends them at once, for a secret that leaked. Raises ValueError for one that is out of range.
    Whether webhooks are signed at all stays as it is.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValueError("The secret before must stay valid for 0 to 720 hours.")
    with transaction.atomic():
        _lock_policy(subscriber, now)
        until = now + overlap
        before = SigningSecret.objects.filter(Q(expires_at=None) | Q(expires_at__gt=until), subscriber=subscriber)
        before.update(expires_at=until)
        return _make_secret(subscriber, by, now)


def count_unreadable() -> int:
    """Returns for how many subscribers nothing can be signed, though they opted in; their deliveries wait."""
    signed = DeliveryPolicy.objects.filter(signs=True).values("subscriber")
    rows = SigningSecret.objects.filter(subscriber__in=signed, expires_at=None)
    return sum(not _read_secret(row) for row in rows.iterator())


def _lock_policy(subscriber: UUID, now: datetime) -> DeliveryPolicy:
    DeliveryPolicy.objects.bulk_create([DeliveryPolicy(subscriber=subscriber, changed_at=now)], ignore_conflicts=True)
    return DeliveryPolicy.objects.select_for_update(no_key=True).get(subscriber=subscriber)


def _make_secret(subscriber: UUID, by: str, now: datetime) -> NewSecret:
    salt = secrets.token_bytes(SALT_BYTES)
    secret = derive_secret(settings.SECRET_KEY, salt)
    row = SigningSecret.objects.create(
        subscriber=subscriber, salt=salt, fingerprint=get_fingerprint(secret), created_at=now, created_by=by
    )
    return NewSecret(row, secret)


def _read_secrets(subscriber: UUID, now: datetime) -> tuple[str, ...]:
    read = [(row, _read_secret(row)) for row in list_secrets(subscriber, now)]
    if not any(secret and row.expires_at is None for row, secret in read):
        raise SecretUnreadable
    return tuple(secret for _, secret in read if secret)


def _read_secret(row: SigningSecret) -> str:
    """Returns a secret's text, or "" when no key of the installation made it."""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        secret = derive_secret(key, bytes(row.salt))
        if get_fingerprint(secret) == row.fingerprint:
            return secret
    return ""


def _end_retries(subscriber: UUID, now: datetime) -> None:
    # Their deliveries that were held before their first attempt still get it: the next sweep lets them go.
    Endpoint.objects.filter(subscriber=subscriber).update(paused_at=None, failing_since=None)
    newest = DeliveryAttempt.objects.filter(delivery=OuterRef("pk")).order_by("-number")
    # What somebody asked for by hand goes out all the same, once.
    waiting = Delivery.objects.filter(subscriber=subscriber, state=DeliveryState.PENDING, tries__gt=0, asked_by="")
    waiting.update(state=Subquery(newest.values("outcome")[:1]), next_attempt_at=None, held_by=None, finished_at=now)
