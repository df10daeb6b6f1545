"""What the counterparty does: writes, bounces, complains; shared by the control API and the mailbox pages.

Must not know HTTP. Every function opens its own transaction.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from agentmail.sandbox.addresses import bare_address, display_name
from agentmail.sandbox.bodies import InboundBody
from agentmail.sandbox.clock import Moment
from agentmail.sandbox.jsontext import BadBodyError, make_error
from agentmail.sandbox.mail import (
    NewFile,
    NewMail,
    ReceivedMail,
    bounce_mail,
    complain_about_mail,
    make_message_id,
    receive_mail,
    reject_mail,
    start_thread,
    thread_messages,
)
from agentmail.sandbox.models import Direction, Inbox, Message, Thread
from agentmail.sandbox.wording import reply_subject

_AUTHENTIC = {"spf": "pass", "dkim": "pass", "dmarc": "pass"}
_UNAUTHENTIC = {"spf": "none", "dkim": "none", "dmarc": "none"}


@dataclass(frozen=True)
class _Place:
    """Where a mail from outside belongs."""

    inbox: Inbox
    thread: Thread | None
    in_reply_to: str
    references: list[str]


def receive_inbound(body: InboundBody, at: Moment) -> Message:
    """Stores a mail from the counterparty and queues its event.

    Without `from` and `subject` it answers as the thread's counterparty would. Raises BadBodyError, with nothing
    stored, when `thread_id` is unknown, the sender cannot be told, or the Message-ID is taken.
    """
    with transaction.atomic():
        place = _find_place(body)
        sender = body.sender or (place.thread and find_counterparty(thread_messages(place.thread)))
        if not sender:
            raise _refuse("from", "is needed, because the mail starts a thread")
        message_id = body.message_id or make_message_id()
        if Message.objects.filter(inbox=place.inbox, message_id=message_id).exists():
            raise _refuse("message_id", f"{message_id} is already the id of a mail in this inbox")
        subject = body.subject
        if subject is None:
            subject = reply_subject(place.thread.subject) if place.thread else ""
        received = ReceivedMail(
            sender=sender,
            message_id=message_id,
            variant=body.variant or "",
            authentication_results=_authentication_results(body),
        )
        thread = place.thread or start_thread(place.inbox, subject, at)
        return receive_mail(place.inbox, thread, _compose(body, place, subject), received, at)


def report_bounce(message_id: str, kind: str, sub_type: str, addresses: list[str], at: Moment) -> Message:
    """Lets a sent mail bounce, `kind` Permanent or Transient; raises BadBodyError when no such mail was sent."""
    with transaction.atomic():
        message = _find_sent(message_id)
        bounce_mail(message, kind, sub_type, addresses, at)
        return message


def report_complaint(message_id: str, kind: str, sub_type: str, at: Moment) -> Message:
    """Lets the recipient call a sent mail spam; raises BadBodyError when no such mail was sent."""
    with transaction.atomic():
        message = _find_sent(message_id)
        complain_about_mail(message, kind, sub_type, at)
        return message


def report_rejection(message_id: str, reason: str, at: Moment) -> Message:
    """Lets the provider reject a sent mail; raises BadBodyError when no such mail was sent."""
    with transaction.atomic():
        message = _find_sent(message_id)
        reject_mail(message, reason, at)
        return message


def find_counterparty(messages: Sequence[Message]) -> str:
    """Returns the header text of whom the inbox writes to in these messages of a thread, oldest first.

    Who wrote first where the inbox has not written; "" for nobody. The name comes from whichever mail gave one:
    replies are often addressed without it.
    """
    headers: list[str] = []
    wanted = ""
    for message in messages:
        if message.direction == Direction.OUTBOUND:
            headers.extend(message.to)
            wanted = message.to[0] if message.to else wanted
        else:
            headers.append(message.from_header)
    wanted = wanted or next(iter(headers), "")
    address = bare_address(wanted)
    named = [header for header in headers if bare_address(header) == address and display_name(header) != header]
    return named[0] if named else wanted


def find_last_sent(messages: Sequence[Message]) -> Message | None:
    """Returns the newest mail of the inbox among these, oldest first: the one that a reply answers."""
    return next((message for message in reversed(messages) if message.direction == Direction.OUTBOUND), None)


def _find_place(body: InboundBody) -> _Place:
    thread = _find_thread(body.thread_id)
    inbox = thread.inbox if thread is not None else _find_inbox(body.inbox_id)
    in_reply_to = body.in_reply_to
    if in_reply_to is None:
        last_sent = find_last_sent(thread_messages(thread)) if thread is not None else None
        in_reply_to = last_sent.message_id if last_sent is not None else ""
    answered = Message.objects.filter(inbox=inbox, message_id=in_reply_to).select_related("thread__inbox").first()
    if thread is None and answered is not None:
        thread = answered.thread
    references = [*answered.references, answered.message_id] if answered is not None else [in_reply_to]
    return _Place(
        inbox=inbox,
        thread=None if body.new_thread else thread,
        in_reply_to=in_reply_to,
        references=[reference for reference in references if reference],
    )


def _compose(body: InboundBody, place: _Place, subject: str) -> NewMail:
    return NewMail(
        to=[place.inbox.inbox_id],
        cc=body.cc,
        subject=subject,
        text=body.text,
        html=body.html,
        headers=body.headers,
        in_reply_to=place.in_reply_to,
        references=place.references,
        files=[
            NewFile(content=file.content, filename=file.filename, content_type=file.content_type)
            for file in body.attachments
        ],
    )


def _authentication_results(body: InboundBody) -> dict[str, str]:
    if body.authentication_results is not None:
        return body.authentication_results
    return _UNAUTHENTIC if body.variant == "unauthenticated" else _AUTHENTIC


def _find_thread(thread_id: str | None) -> Thread | None:
    if thread_id is None:
        return None
    try:
        found = Thread.objects.select_related("inbox").filter(thread_id=uuid.UUID(thread_id)).first()
    except ValueError:
        found = None
    if found is None:
        raise _refuse("thread_id", f"there is no thread {thread_id}; GET /sandbox/outbox lists them")
    return found


def _find_inbox(inbox_id: str | None) -> Inbox:
    wanted = inbox_id or settings.AGENTMAIL_INBOX_ID
    inbox = Inbox.objects.filter(inbox_id=wanted).first()
    if inbox is None:
        raise _refuse("inbox_id", f"there is no inbox {wanted}")
    return inbox


def _find_sent(message_id: str) -> Message:
    message = (
        Message.objects.filter(message_id=message_id, direction=Direction.OUTBOUND)
        .select_related("inbox", "thread")
        .first()
    )
    if message is None:
        raise _refuse("message_id", f"no mail {message_id} was sent; GET /sandbox/outbox lists them")
    return message


def _refuse(field: str, message: str) -> BadBodyError:
    return BadBodyError([make_error([field], message, "invalid_value")])
