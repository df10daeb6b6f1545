"""What the stand-in provider remembers: all of it lives in tables, so that a killed process forgets nothing.

Must not hold rules; those are in `mail.py`, `idempotency.py`, `deliveries.py` and `faults.py`.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Direction(models.TextChoices):
    """Which way a message went, seen from the inbox."""

    OUTBOUND = "outbound", "sent by the inbox"
    INBOUND = "inbound", "received by the inbox"


class Inbox(models.Model):
    """One inbox of the organization; `inbox_id` is its e-mail address."""

    inbox_id = models.TextField(unique=True)
    display_name = models.TextField(blank=True, default="")
    client_id = models.TextField(null=True, unique=True)
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.inbox_id


class Thread(models.Model):
    """One conversation of one inbox; its figures are computed from its messages."""

    thread_id = models.UUIDField(unique=True, default=uuid.uuid4)
    inbox = models.ForeignKey(Inbox, models.CASCADE, related_name="threads")
    subject = models.TextField(blank=True, default="")
    last_message_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["-last_message_at", "-id"], name="sandbox_thread_newest")]

    def __str__(self) -> str:
        return str(self.thread_id)


class Message(models.Model):
    """One message as the provider stores it; the primary key is the order of arrival."""

    inbox = models.ForeignKey(Inbox, models.CASCADE, related_name="messages")
    thread = models.ForeignKey(Thread, models.CASCADE, related_name="messages")
    message_id = models.TextField()
    direction = models.TextField(choices=Direction)
    labels = ArrayField(models.TextField(), default=list)
    from_header = models.TextField()
    to = ArrayField(models.TextField(), default=list)
    cc = ArrayField(models.TextField(), default=list)
    bcc = ArrayField(models.TextField(), default=list)
    reply_to = ArrayField(models.TextField(), default=list)
    subject = models.TextField(blank=True, default="")
    text = models.TextField(null=True)
    html = models.TextField(null=True)
    extracted_text = models.TextField(null=True)
    in_reply_to = models.TextField(blank=True, default="")
    references = ArrayField(models.TextField(), default=list)
    headers = models.JSONField(default=dict)
    authentication_results = models.JSONField(null=True)
    size = models.PositiveIntegerField(default=0)
    # Outbound only: the header of the request that sent it, and what became of it afterwards.
    idempotency_key = models.TextField(blank=True, default="")
    failure = models.TextField(blank=True, default="")
    timestamp = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["inbox", "message_id"], name="sandbox_message_id_once_per_inbox"),
        ]
        indexes = [
            models.Index(fields=["thread", "id"], name="sandbox_message_thread"),
            models.Index(fields=["inbox", "-id"], name="sandbox_message_newest"),
            models.Index(fields=["message_id"], name="sandbox_message_id"),
            GinIndex(fields=["labels"], name="sandbox_message_labels"),
        ]

    def __str__(self) -> str:
        return self.message_id


class Attachment(models.Model):
    """One file of one message, content included."""

    attachment_id = models.UUIDField(unique=True, default=uuid.uuid4)
    message = models.ForeignKey(Message, models.CASCADE, related_name="attachments")
    filename = models.TextField(blank=True, default="")
    content_type = models.TextField(blank=True, default="application/octet-stream")
    content_disposition = models.TextField(default="attachment")
    content_id = models.TextField(blank=True, default="")
    content = models.BinaryField()
    size = models.PositiveIntegerField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.filename or str(self.attachment_id)


class Draft(models.Model):
    """One mail that waits to be sent; sending deletes it, and its `client_id` with it."""

    draft_id = models.UUIDField(unique=True, default=uuid.uuid4)
    inbox = models.ForeignKey(Inbox, models.CASCADE, related_name="drafts")
    client_id = models.TextField(null=True)
    # The message it answers; null for a mail in a thread of its own.
    original = models.ForeignKey(Message, models.CASCADE, null=True, related_name="drafts")
    labels = ArrayField(models.TextField(), default=list)
    to = ArrayField(models.TextField(), default=list)
    cc = ArrayField(models.TextField(), default=list)
    bcc = ArrayField(models.TextField(), default=list)
    reply_to = ArrayField(models.TextField(), default=list)
    subject = models.TextField(blank=True, default="")
    text = models.TextField(null=True)
    html = models.TextField(null=True)
    # Objects with the fields of the provider's Attachment and the `content` in Base64.
    attachments = models.JSONField(default=list)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["inbox", "client_id"], name="sandbox_draft_client_id_once_per_inbox"),
        ]

    def __str__(self) -> str:
        return str(self.draft_id)


class IdempotencyRecord(models.Model):
    """What an Idempotency-Key answered; one organization-wide row per key."""

    key = models.TextField(unique=True)
    fingerprint = models.TextField()
    message_id = models.TextField()
    thread_id = models.TextField()
    completed_at = models.DateTimeField()
    # Until then the first request still counts as running, so that a repeat meets the provider's 409.
    running_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key


class BlockedAddress(models.Model):
    """An address the provider refuses to send to after a permanent bounce or a complaint."""

    address = models.TextField(unique=True)
    reason = models.TextField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.address


class Webhook(models.Model):
    """One subscription to events; the secret signs its deliveries."""

    webhook_id = models.TextField(unique=True)
    url = models.TextField()
    secret = models.TextField()
    enabled = models.BooleanField(default=True)
    event_types = ArrayField(models.TextField())
    inbox_ids = ArrayField(models.TextField(), default=list)
    pod_ids = ArrayField(models.TextField(), default=list)
    client_id = models.TextField(null=True, unique=True)
    # Static headers of its deliveries; never shown again.
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.url


class DeliveryState(models.TextChoices):
    """What became of one webhook delivery."""

    PENDING = "pending", "waits for its next attempt"
    HELD = "held", "waits until a later one has been delivered"
    DELIVERED = "delivered", "answered with 2xx"
    DROPPED = "dropped", "never sent, as a fault asked"
    EXHAUSTED = "exhausted", "given up after a day"


class Delivery(models.Model):
    """One event on its way to one webhook; `body` is frozen, `svix_id` is the same on every attempt."""

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    svix_id = models.TextField(unique=True)
    event_id = models.TextField()
    event_type = models.TextField()
    body = models.TextField()
    state = models.TextField(choices=DeliveryState, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    # How often the same delivery is still to be sent after it has been answered, as a fault asked.
    extra_copies = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    last_status = models.PositiveIntegerField(null=True)
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                name="sandbox_delivery_due",
                condition=models.Q(state__in=["pending", "held"]),
            ),
        ]

    def __str__(self) -> str:
        return self.svix_id


class Fault(models.Model):
    """One fault that waits for the next call of its channel; consumed by being deleted."""

    channel = models.TextField()
    kind = models.TextField()
    options = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["channel", "id"], name="sandbox_fault_queue")]

    def __str__(self) -> str:
        return f"{self.channel}: {self.kind}"


class Clock(models.Model):
    """The provider's clock as an offset to the real one; a single row with id 1."""

    offset_seconds = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="sandbox_clock_is_one_row"),
        ]

    def __str__(self) -> str:
        return f"{self.offset_seconds} s"
