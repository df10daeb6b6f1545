"""The deliveries and their attempts, with their constraints; must not decide what happens next or touch the network."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q

from webhooks.outcomes import AttemptOutcome, DeliveryState

# Plain strings, so that migrations hold what the database held then and not what the enum says later.
PENDING = DeliveryState.PENDING.value
SENDING = DeliveryState.SENDING.value
FINAL_STATES = (DeliveryState.DELIVERED.value, DeliveryState.FAILED.value, DeliveryState.UNKNOWN.value)
STATES = (PENDING, SENDING, *FINAL_STATES)
OPEN = AttemptOutcome.OPEN.value
OUTCOMES = tuple(outcome.value for outcome in AttemptOutcome)


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
    state = models.CharField(max_length=16, default=PENDING, choices=[(state, state) for state in STATES])
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)
    nudges = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
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
        ]
        indexes = [
            models.Index(fields=["owner", "created_at"], name="webhooks_delivery_of_owner"),
            models.Index(fields=["-created_at"], name="webhooks_delivery_newest"),
            models.Index(fields=["next_attempt_at"], condition=Q(state=PENDING), name="webhooks_delivery_due"),
            models.Index(fields=["lease_until"], condition=Q(state=SENDING), name="webhooks_delivery_leased"),
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
