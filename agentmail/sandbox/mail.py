"""What happens to mail at the provider: sent, received, bounced; must not know HTTP.

Every function runs in the caller's transaction, together with the events that it queues.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet

from agentmail.sandbox.addresses import bare_address, format_address
from agentmail.sandbox.clock import Moment
from agentmail.sandbox.deliveries import queue_event
from agentmail.sandbox.events import (
    bounced_event,
    complained_event,
    delivered_event,
    received_event,
    rejected_event,
    sent_event,
)
from agentmail.sandbox.models import Attachment, BlockedAddress, Direction, Inbox, Message, Thread
from agentmail.sandbox.wording import extract_written_text

# A mail that carries one of these is left out of lists unless asked for.
HIDDEN_LABELS = ("spam", "blocked", "unauthenticated", "trash")


@dataclass(frozen=True)
class NewFile:
    """One file of a mail that is about to be stored."""

    content: bytes
    filename: str = ""
    content_type: str = "application/octet-stream"
    content_disposition: str = "attachment"
    content_id: str = ""


@dataclass(frozen=True)
class NewMail:
    """One mail that is about to be stored; addresses are header text."""

    to: Sequence[str]
    subject: str
    text: str | None
    html: str | None = None
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    labels: Sequence[str] = ()
    headers: dict[str, str] | None = None
    in_reply_to: str = ""
    references: Sequence[str] = ()
    files: Sequence[NewFile] = ()


@dataclass(frozen=True)
class ReceivedMail:
    """What only mail from outside has: who wrote it, under which Message-ID, and how its check went."""

    sender: str
    message_id: str
    variant: str
    authentication_results: dict[str, str]


def make_message_id() -> str:
    """Returns a fresh RFC 5322 Message-ID, angle brackets included."""
    return f"<{uuid.uuid4()}@mail.sandbox.example>"


def start_thread(inbox: Inbox, subject: str, at: Moment) -> Thread:
    """Creates an empty thread for a first mail."""
    return Thread.objects.create(inbox=inbox, subject=subject, last_message_at=at.provider, created_at=at.provider)


def find_blocked(addresses: Sequence[str]) -> str | None:
    """Returns the first of the addresses that the provider does not send to any more, or None."""
    wanted = [bare_address(address) for address in addresses]
    return BlockedAddress.objects.filter(address__in=wanted).values_list("address", flat=True).first()


def send_mail(inbox: Inbox, thread: Thread, mail: NewMail, idempotency_key: str, at: Moment) -> Message:
    """Stores a mail of the inbox and queues `message.sent` and `message.delivered`."""
    message = _store(
        inbox,
        thread,
        mail,
        at,
        message_id=make_message_id(),
        direction=Direction.OUTBOUND,
        labels=["sent", *(label.lower() for label in mail.labels if label.lower() != "sent")],
        from_header=format_address(inbox.display_name, inbox.inbox_id),
        idempotency_key=idempotency_key,
    )
    queue_event(sent_event(message, at.provider), inbox.inbox_id, at)
    queue_event(delivered_event(message, at.provider), inbox.inbox_id, at)
    return message


def receive_mail(inbox: Inbox, thread: Thread, mail: NewMail, received: ReceivedMail, at: Moment) -> Message:
    """Stores a mail from outside and queues `message.received`, or the event of its variant."""
    message = _store(
        inbox,
        thread,
        mail,
        at,
        message_id=received.message_id,
        direction=Direction.INBOUND,
        labels=[received.variant] if received.variant else ["received", "unread"],
        from_header=received.sender,
        extracted_text=extract_written_text(mail.text) if mail.text is not None else None,
        authentication_results=received.authentication_results,
    )
    queue_event(received_event(message, thread_messages(thread), received.variant), inbox.inbox_id, at)
    return message


def bounce_mail(message: Message, kind: str, sub_type: str, addresses: Sequence[str], at: Moment) -> None:
    """Reports a bounce; a Permanent one blocks the addresses from then on. No addresses: all recipients."""
    bounced = [bare_address(address) for address in addresses or [*message.to, *message.cc, *message.bcc]]
    if kind == "Permanent":
        block_addresses(bounced, "bounced", at)
    _mark_failed(message, f"bounced ({kind.lower()})", at)
    queue_event(bounced_event(message, kind, sub_type, bounced, at.provider), message.inbox.inbox_id, at)


def complain_about_mail(message: Message, kind: str, sub_type: str, at: Moment) -> None:
    """Reports that the recipients called the mail spam; they are blocked from then on."""
    block_addresses([bare_address(address) for address in [*message.to, *message.cc, *message.bcc]], "complained", at)
    _mark_failed(message, "reported as spam", at)
    queue_event(complained_event(message, kind, sub_type, at.provider), message.inbox.inbox_id, at)


def reject_mail(message: Message, reason: str, at: Moment) -> None:
    """Reports that the provider would not hand the mail on."""
    _mark_failed(message, "rejected by the provider", at)
    queue_event(rejected_event(message, reason, at.provider), message.inbox.inbox_id, at)


def files_without_content() -> "Prefetch[str, QuerySet[Attachment], str]":
    """Returns the prefetch of a message's files that leaves their contents in the database."""
    return Prefetch("attachments", Attachment.objects.defer("content"))


def thread_messages(thread: Thread) -> list[Message]:
    """Returns all of the thread's messages, oldest first, with their files' metadata but not their contents."""
    return messages_by_thread([thread])[thread.pk]


def messages_by_thread(threads: Sequence[Thread]) -> dict[int, list[Message]]:
    """Returns the same for several threads at once, by the thread's row id."""
    found: dict[int, list[Message]] = {thread.pk: [] for thread in threads}
    messages = (
        Message.objects.filter(thread__in=threads)
        .select_related("inbox", "thread__inbox")
        .prefetch_related(files_without_content())
        .order_by("id")
    )
    for message in messages:
        found[message.thread_id].append(message)
    return found


def _store(inbox: Inbox, thread: Thread, mail: NewMail, at: Moment, **fields: object) -> Message:
    size = len((mail.text or "").encode()) + len((mail.html or "").encode())
    message = Message.objects.create(
        inbox=inbox,
        thread=thread,
        to=list(mail.to),
        cc=list(mail.cc),
        bcc=list(mail.bcc),
        reply_to=list(mail.reply_to),
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        in_reply_to=mail.in_reply_to,
        references=list(mail.references),
        headers=mail.headers or {},
        size=size + sum(len(file.content) for file in mail.files),
        timestamp=at.provider,
        updated_at=at.provider,
        **fields,
    )
    for file in mail.files:
        Attachment.objects.create(
            message=message,
            filename=file.filename,
            content_type=file.content_type,
            content_disposition=file.content_disposition,
            content_id=file.content_id,
            content=file.content,
            size=len(file.content),
        )
    Thread.objects.filter(pk=thread.pk).update(last_message_at=at.provider)
    return message


def _mark_failed(message: Message, failure: str, at: Moment) -> None:
    message.failure = failure
    message.updated_at = at.provider
    message.save(update_fields=["failure", "updated_at"])


def block_addresses(addresses: Sequence[str], reason: str, at: Moment) -> None:
    """Puts bare addresses on the provider's block list; one that is there keeps its first reason."""
    BlockedAddress.objects.bulk_create(
        [BlockedAddress(address=address, reason=reason, created_at=at.provider) for address in addresses],
        ignore_conflicts=True,
    )
