"""The deliveries and their attempts, with their constraints; must not decide what happens next or touch the network."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q

from webhooks.outcomes import AttemptOutcome, DeliveryState

# Plain strings, so that migrations hold what the database held then and not what the enum says later.
PENDING = DeliveryState.PENDING.value
SENDING = DeliveryState.SENDING.value
FINAL_STATES = (DeliveryState.DELIVERED.value, DeliveryState.FAILED.value, DeliveryState.UNKNOWN.value)
STATES = (PENDING, SENDING, *FINAL_STATES)
UNDELIVERED_STATES = (DeliveryState.FAILED.value, DeliveryState.UNKNOWN.value)
OPEN = AttemptOutcome.OPEN.value
OUTCOMES = tuple(outcome.value for outcome in AttemptOutcome)
# Beyond every sweep, so that what waits for a paused endpoint costs no sweep anything.
HELD_UNTIL = datetime(9999, 12, 31, tzinfo=UTC)


class Delivery(models.Model):
    """One event on its way to one URL: written with the change it reports, so that neither exists without the other."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The id of whatever the event is about; opaque here.
    owner = models.UUIDField()
    event_id = models.TextField()
    event_type = models.TextField()
    url = models.TextField()
    # The exact text that is sent, the same at every attempt.
    body = models.TextField()
    # Whose policy and secrets apply; opaque here too. Without one it is one unsigned attempt.
    subscriber = models.UUIDField(null=True, blank=True)
    state = models.CharField(max_length=16, default=PENDING, choices=[(state, state) for state in STATES])
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)
    nudges = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    # Attempts of the schedule that runs, which a resend begins anew; all of them are rows of their own.
    tries = models.PositiveIntegerField(default=0, db_default=0)
    # Who asked by hand for the attempt that comes next, "" when nobody did.
    asked_by = models.TextField(blank=True, default="", db_default="")
    # The paused endpoint that it waits for; `next_attempt_at` is then HELD_UNTIL.
    held_by = models.ForeignKey(
        "Endpoint", on_delete=models.PROTECT, null=True, blank=True, related_name="held", db_index=False
    )

    class Meta:
        verbose_name_plural = "deliveries"
        permissions = [("resend_delivery", "Can send a delivery again")]
        constraints = [
            models.UniqueConstraint(fields=["event_id"], name="webhooks_delivery_event_once"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="webhooks_delivery_state_known"),
            models.CheckConstraint(
                condition=Q(state=PENDING, next_attempt_at__isnull=False)
                | (~Q(state=PENDING) & Q(next_attempt_at__isnull=True)),
                name="webhooks_delivery_scheduled_while_pending",
            ),
            models.CheckConstraint(
                condition=Q(state=SENDING, lease_until__isnull=False)
                | (~Q(state=SENDING) & Q(lease_until__isnull=True)),
                name="webhooks_delivery_leased_while_sending",
            ),
            models.CheckConstraint(
                condition=Q(state__in=FINAL_STATES, finished_at__isnull=False)
                | (~Q(state__in=FINAL_STATES) & Q(finished_at__isnull=True)),
                name="webhooks_delivery_finished_when_final",
            ),
            models.CheckConstraint(
                condition=Q(held_by__isnull=True) | Q(state=PENDING, next_attempt_at=HELD_UNTIL),
                name="webhooks_delivery_held_while_pending",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "created_at"], name="webhooks_delivery_of_owner"),
            models.Index(fields=["-created_at"], name="webhooks_delivery_newest"),
            models.Index(fields=["next_attempt_at"], condition=Q(state=PENDING), name="webhooks_delivery_due"),
            models.Index(fields=["lease_until"], condition=Q(state=SENDING), name="webhooks_delivery_leased"),
            models.Index(fields=["held_by"], condition=Q(held_by__isnull=False), name="webhooks_delivery_held"),
            models.Index(
                fields=["subscriber", "finished_at"],
                condition=Q(state__in=UNDELIVERED_STATES),
                name="webhooks_delivery_undelivered",
            ),
        ]

    def __str__(self) -> str:
        return self.event_id

    @property
    def url_host(self) -> str:
        """The URL's host alone: paths and queries often carry the receiver's secrets."""
        return urlsplit(self.url).hostname or ""


class DeliveryAttempt(models.Model):
    """One POST, written before it goes out, so that a crash cannot hide that it may have."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(
        max_length=16,
        blank=True,
        default=OPEN,
        choices=[(outcome, outcome) for outcome in OUTCOMES if outcome],
    )
    status_code = models.PositiveIntegerField(null=True, blank=True)
    first_bytes = models.TextField(blank=True)
    error = models.TextField(blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    # How many secrets signed it; 0 for an unsigned one.
    signatures = models.PositiveSmallIntegerField(default=0, db_default=0)
    # Who asked for it by hand, "" when nobody did.
    asked_by = models.TextField(blank=True, default="", db_default="")

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="webhooks_attempt_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="webhooks_attempt_number_from_one"),
            models.CheckConstraint(condition=Q(outcome__in=OUTCOMES), name="webhooks_attempt_outcome_known"),
            models.CheckConstraint(
                condition=Q(outcome=OPEN, finished_at__isnull=True) | (~Q(outcome=OPEN) & Q(finished_at__isnull=False)),
                name="webhooks_attempt_finished_with_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"


class DeliveryPolicy(models.Model):
    """What a subscriber opted in to. Without a row: one unsigned attempt."""

    subscriber = models.UUIDField(primary_key=True)
    signs = models.BooleanField(default=False)
    retries = models.BooleanField(default=False)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "delivery policies"

    def __str__(self) -> str:
        return f"signed: {self.signs}, retried: {self.retries}"


class SigningSecret(models.Model):
    """A subscriber's secret, of which only the salt is here: the rest is the installation's key (webhooks/signing.py).

    The fingerprint tells people which one it is, and tells us whether the installation's key is still the same.
    """

    subscriber = models.UUIDField()
    salt = models.BinaryField(max_length=32)
    fingerprint = models.CharField(max_length=12)
    created_at = models.DateTimeField()
    created_by = models.TextField(blank=True)
    # Null for the one that stays; the others sign beside it until then.
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [("rotate_secret", "Can change how a client's webhooks are signed and retried")]
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber"], condition=Q(expires_at__isnull=True), name="webhooks_secret_one_stays"
            ),
            models.UniqueConstraint(fields=["subscriber", "fingerprint"], name="webhooks_secret_told_apart"),
        ]

    def __str__(self) -> str:
        return self.fingerprint


class Endpoint(models.Model):
    """How one URL of one subscriber fares, without its query; a row is made when it fails for the first time.

    Of the URL only the origin is kept in the clear: paths often carry the receiver's secret.
    """

    subscriber = models.UUIDField()
    origin = models.TextField()
    url_digest = models.CharField(max_length=64)
    # Null while its last attempt was delivered.
    failing_since = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True)
    resumed_by = models.TextField(blank=True)

    class Meta:
        permissions = [("resume_endpoint", "Can resume a paused endpoint")]
        constraints = [
            models.UniqueConstraint(fields=["subscriber", "url_digest"], name="webhooks_endpoint_once"),
        ]
        indexes = [
            models.Index(fields=["paused_at"], condition=Q(paused_at__isnull=False), name="webhooks_endpoint_paused"),
        ]

    def __str__(self) -> str:
        return self.origin


class DeliveryTotal(models.Model):
    """How many attempts ended how since the installation began; it never falls, whatever is deleted.

    Each outcome has a few rows, so that workers which finish at the same time do not wait for one another.
    """

    outcome = models.CharField(max_length=16)
    part = models.PositiveSmallIntegerField()
    attempts = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["outcome", "part"], name="webhooks_total_once_per_part")]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.attempts}"
