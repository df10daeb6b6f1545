"""What is kept of mail, both ways: fields, constraints, indexes; must not decide what happens to a mail.

`owner` is whoever the mail belongs to, an id that means nothing here.
"""

import uuid
from enum import StrEnum
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from agentmail.automatic import AutomaticKind
from agentmail.inbound import EventKind, ReportKind, Variant
from agentmail.outcomes import MailState


def _choices(values: type[StrEnum]) -> list[tuple[str, str]]:
    return [(value.value, value.name.replace("_", " ").lower()) for value in values]


class OutboundEmail(models.Model):
    """One mail of ours, its request frozen before the first attempt so that every repeat is the identical one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.UUIDField(db_index=True)
    reference = models.TextField(unique=True, help_text="What the mail was written for; one mail each.")
    inbox_id = models.TextField()
    to_address = models.TextField()
    subject = models.TextField(blank=True)
    text = models.TextField()
    reply_to_message_id = models.TextField(blank=True, help_text="Empty: the mail opens a new thread.")
    payload = models.TextField(help_text="The exact JSON text of the request.")
    idempotency_key = models.TextField(unique=True)
    label = models.TextField(unique=True)
    state = models.CharField(max_length=16, choices=_choices(MailState), default=MailState.FROZEN.value)
    attempts = models.PositiveIntegerField(default=0)
    first_attempt_at = models.DateTimeField(
        null=True, blank=True, help_text="The first attempt that may have been accepted; empty while surely unsent."
    )
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    looked_up_at = models.DateTimeField(
        null=True, blank=True, help_text="When the look-up by label first found nothing since the last attempt."
    )
    lookup_misses = models.PositiveIntegerField(default=0)
    message_id = models.TextField(blank=True)
    thread_id = models.TextField(blank=True)
    last_error = models.TextField(blank=True)
    frozen_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "outbound mail"
        verbose_name_plural = "outbound mail"
        constraints = [
            models.CheckConstraint(
                name="outbound_state_known", condition=Q(state__in=[state.value for state in MailState])
            ),
            models.CheckConstraint(
                name="outbound_sent_has_ids",
                condition=~Q(state=MailState.SENT.value)
                | (~Q(message_id="") & ~Q(thread_id="") & Q(sent_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="outbound_attempted_has_time",
                condition=~Q(state__in=[MailState.SENDING.value, MailState.UNKNOWN.value])
                | (Q(first_attempt_at__isnull=False) & Q(last_attempt_at__isnull=False) & Q(attempts__gt=0)),
            ),
            models.CheckConstraint(
                name="outbound_frozen_is_unsent",
                condition=~Q(state=MailState.FROZEN.value) | (Q(message_id="") & Q(first_attempt_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="outbound_addressed", condition=~Q(inbox_id="") & ~Q(to_address="") & ~Q(payload="")
            ),
        ]
        indexes = [
            models.Index(name="outbound_thread", fields=["thread_id"], condition=~Q(thread_id="")),
            models.Index(name="outbound_message", fields=["message_id"], condition=~Q(message_id="")),
            models.Index(name="outbound_inbox", fields=["inbox_id"]),
            models.Index(
                name="outbound_unsettled",
                fields=["frozen_at"],
                condition=Q(state__in=[MailState.FROZEN.value, MailState.SENDING.value, MailState.UNKNOWN.value]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject or 'Mail'} to {self.to_address}"


class ProviderEvent(models.Model):
    """Every authentic webhook event, once. Failed deliveries wait here until their mail is known."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    event_id = models.TextField(unique=True)
    svix_id = models.TextField(blank=True)
    event_type = models.TextField(blank=True)
    kind = models.CharField(max_length=16, choices=_choices(EventKind))
    note = models.TextField(blank=True, help_text="Why the event was not read, if it was not.")
    payload = models.JSONField()
    received_at = models.DateTimeField()
    owner = models.UUIDField(null=True, blank=True)
    matched_at = models.DateTimeField(null=True, blank=True)
    inbox_id = models.TextField(blank=True)
    thread_id = models.TextField(blank=True)
    message_id = models.TextField(blank=True)
    report_kind = models.CharField(max_length=16, blank=True, choices=_choices(ReportKind))
    addresses = models.JSONField(default=list, blank=True)
    detail = models.TextField(blank=True)
    is_transient = models.BooleanField(default=False)
    occurred_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="event_identified", condition=~Q(event_id="")),
            models.CheckConstraint(
                name="event_matched_has_time", condition=Q(owner__isnull=True) | Q(matched_at__isnull=False)
            ),
            models.CheckConstraint(
                name="event_report_has_kind",
                condition=~Q(kind=EventKind.REPORT.value) | Q(report_kind__in=[kind.value for kind in ReportKind]),
            ),
        ]
        indexes = [
            models.Index(
                name="event_waiting",
                fields=["received_at"],
                condition=Q(kind=EventKind.REPORT.value, owner__isnull=True),
            ),
            models.Index(name="event_owner", fields=["owner"], condition=Q(owner__isnull=False)),
            models.Index(name="event_newest", fields=["-received_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.event_type or 'event'} {self.event_id}"


class InboundEmail(models.Model):
    """A mail that reached an inbox of ours, as the provider told it. Without an owner it waits to be matched."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.UUIDField(null=True, blank=True)
    matched_at = models.DateTimeField(null=True, blank=True)
    event = models.ForeignKey(ProviderEvent, to_field="event_id", on_delete=models.PROTECT, related_name="mails")
    received_at = models.DateTimeField()
    inbox_id = models.TextField()
    message_id = models.TextField()
    thread_id = models.TextField()
    from_address = models.TextField(blank=True)
    from_name = models.TextField(blank=True)
    to = models.JSONField(default=list, blank=True)
    subject = models.TextField(blank=True)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    extracted_text = models.TextField(blank=True)
    in_reply_to = models.TextField(blank=True)
    references = models.JSONField(default=list, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    attachments = models.JSONField(default=list, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    variant = models.CharField(max_length=16, blank=True, choices=_choices(Variant))
    authentication = models.JSONField(null=True, blank=True)
    automatic = models.CharField(max_length=16, choices=_choices(AutomaticKind), default=AutomaticKind.NONE.value)

    class Meta:
        verbose_name = "inbound mail"
        verbose_name_plural = "inbound mail"
        constraints = [
            models.UniqueConstraint(name="inbound_once", fields=["inbox_id", "message_id"]),
            models.CheckConstraint(
                name="inbound_identified", condition=~Q(inbox_id="") & ~Q(message_id="") & ~Q(thread_id="")
            ),
            models.CheckConstraint(
                name="inbound_matched_has_time", condition=Q(owner__isnull=True) | Q(matched_at__isnull=False)
            ),
            models.CheckConstraint(
                name="inbound_variant_known", condition=Q(variant__in=[variant.value for variant in Variant])
            ),
            models.CheckConstraint(
                name="inbound_automatic_known", condition=Q(automatic__in=[kind.value for kind in AutomaticKind])
            ),
        ]
        indexes = [
            models.Index(name="inbound_waiting", fields=["received_at"], condition=Q(owner__isnull=True)),
            models.Index(
                name="inbound_waiting_for",
                fields=["in_reply_to"],
                condition=Q(owner__isnull=True) & ~Q(in_reply_to=""),
            ),
            models.Index(name="inbound_owner", fields=["owner", "received_at"], condition=Q(owner__isnull=False)),
            models.Index(name="inbound_thread", fields=["thread_id"]),
            models.Index(name="inbound_message", fields=["message_id"]),
            models.Index(name="inbound_newest", fields=["-received_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.subject or 'Mail'} from {self.from_address}"

    @property
    def raw_event(self) -> Any:
        """The webhook event that brought the mail, as it was stored (one query unless selected along)."""
        return self.event.payload


class InboxCursor(models.Model):
    """How far an inbox is known to hold nothing that no webhook brought."""

    inbox_id = models.TextField(primary_key=True)
    sound_until = models.DateTimeField(null=True, help_text="Up to here no received mail is missing.")
    looked_at = models.DateTimeField()
    last_error = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.inbox_id


class SuppressedAddress(models.Model):
    """An address that gets no more mail. Held in lower case."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    address = models.TextField(unique=True)
    reason = models.TextField(help_text="BOUNCED, COMPLAINED, REJECTED, or a word of whoever added it.")
    detail = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "suppressed addresses"
        constraints = [
            models.CheckConstraint(
                name="suppressed_lower_case", condition=Q(address=Lower("address")) & ~Q(address="")
            ),
        ]

    def __str__(self) -> str:
        return self.address


class DeclinedAddress(models.Model):
    """An address that has asked one sender not to be written to; others may. Held in lower case."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scope = models.UUIDField(help_text="Whose mail it does not want: an id that means nothing here.")
    address = models.TextField()
    detail = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "declined addresses"
        constraints = [
            models.UniqueConstraint(name="declined_once", fields=["scope", "address"]),
            models.CheckConstraint(name="declined_lower_case", condition=Q(address=Lower("address")) & ~Q(address="")),
        ]

    def __str__(self) -> str:
        return self.address


class ErasedAddress(models.Model):
    """A person who was erased and must still get no mail: all that is left of the address is its keyed digest."""

    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "erased addresses"

    def __str__(self) -> str:
        return self.digest[:12]


class RegisteredWebhook(models.Model):
    """The webhook that `manage.py connect_agentmail` registered last, with the secret that proves it; one row, id 1."""

    webhook_id = models.TextField()
    url = models.TextField()
    secret = models.TextField()
    registrations = models.PositiveIntegerField(default=1, help_text="How many this installation has registered.")
    registered_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="registered_webhook_is_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return self.url


class AccountCheck(models.Model):
    """How a part of our account at AgentMail was found at the last look: `key`, `inbox` or `webhook`."""

    part = models.TextField(primary_key=True)
    problem = models.TextField(blank=True, help_text="Empty when nothing is wrong.")
    is_known = models.BooleanField(help_text="No when AgentMail did not answer.")
    checked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.part}: {self.problem or 'in order'}"
