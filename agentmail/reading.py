"""Reads a whole conversation: the live thread united with our own tables; must not store anything."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from agentmail.automatic import AutomaticKind
from agentmail.client import AgentMailClient
from agentmail.inbound import AttachmentInfo, InboundMail, Variant, best_text
from agentmail.mailbox import Direction, StoredMail, list_mail
from agentmail.outcomes import FetchedThread, ThreadMessage

# A message without any time stands where it cannot pass for the latest word.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_HIDDEN = (Variant.SPAM, Variant.BLOCKED)


@dataclass(frozen=True)
class MailMessage:
    """One message of a conversation; `text` is what its sender wrote, `sent_at` is aware."""

    message_id: str
    direction: Direction
    from_name: str
    from_address: str
    sent_at: datetime
    subject: str
    text: str
    automatic: AutomaticKind
    variant: Variant
    attachments: tuple[AttachmentInfo, ...]
    authentication: dict[str, Any] | None = None


@dataclass(frozen=True)
class ThreadView:
    """A conversation, oldest message first.

    `is_live` says that the provider's own view is in it, whole. `has_thread` is false before anything was sent.
    """

    messages: tuple[MailMessage, ...]
    is_live: bool
    has_thread: bool
    # Received mail that only the provider has: its webhook was lost, or is still on its way.
    unstored: tuple[InboundMail, ...] = ()


def read_thread(owner: UUID, *, client: AgentMailClient) -> ThreadView:
    """Returns the owner's conversation: each message of the live threads and of our tables once.

    When the provider does not give every thread, what it gave and what we hold make the view, with `is_live` false.
    Calls the provider: not inside a transaction.
    """
    stored = list_mail(owner)
    threads = _list_threads(stored)
    release_pooled_connection()
    live: list[ThreadMessage] = []
    is_live = bool(threads)
    for inbox_id, thread_id in threads:
        read = client.fetch_thread(inbox_id, thread_id)
        if isinstance(read, FetchedThread):
            live.extend(read.messages)
        else:
            is_live = False
    known = {mail.message_id for mail in stored}
    unstored = tuple(m.mail for m in live if not m.is_ours and m.mail.message_id not in known)
    return ThreadView(_unite(stored, live), is_live=is_live, has_thread=bool(threads), unstored=unstored)


def read_stored_thread(owner: UUID) -> ThreadView:
    """Returns the owner's conversation as our own tables hold it; asks nobody."""
    stored = list_mail(owner)
    return ThreadView(_unite(stored, []), is_live=False, has_thread=bool(_list_threads(stored)))


def render_transcript(view: ThreadView) -> str:
    """Returns the conversation as plain text, oldest message first; "" when there is none."""
    return "\n\n".join(_render(message) for message in view.messages)


def _list_threads(stored: list[StoredMail]) -> list[tuple[str, str]]:
    visible = (mail for mail in stored if mail.variant not in _HIDDEN)
    return list(dict.fromkeys((mail.inbox_id, mail.thread_id) for mail in visible))


def release_pooled_connection() -> None:
    """A pooled connection that is kept over the provider's answer starves the other threads of theirs."""
    if "pool" in connection.settings_dict["OPTIONS"] and not connection.in_atomic_block:
        connection.close()


def _unite(stored: list[StoredMail], live: list[ThreadMessage]) -> tuple[MailMessage, ...]:
    """Ours is the base: it has the event's verdict and the exact text sent. The live one fills what it lacks."""
    fetched = {message.mail.message_id: message for message in live}
    known = {mail.message_id for mail in stored}
    messages = [_from_stored(mail, fetched.get(mail.message_id)) for mail in stored]
    messages += [read_live_message(message) for message_id, message in fetched.items() if message_id not in known]
    return tuple(sorted(messages, key=lambda message: message.sent_at))


def _from_stored(mail: StoredMail, live: ThreadMessage | None) -> MailMessage:
    return MailMessage(
        message_id=mail.message_id,
        direction=mail.direction,
        from_name=mail.from_name,
        from_address=mail.from_address,
        sent_at=mail.sent_at,
        subject=mail.subject or (live.mail.subject if live else ""),
        # The provider leaves the bodies out of an event that would exceed 1 MB.
        text=mail.text if mail.text.strip() or live is None else best_text(live.mail),
        automatic=mail.automatic,
        variant=mail.variant,
        attachments=mail.attachments or (live.mail.attachments if live else ()),
        authentication=mail.authentication or (live.mail.authentication if live else None),
    )


def read_live_message(message: ThreadMessage) -> MailMessage:
    """Returns a message of a live thread as one of a conversation."""
    mail = message.mail
    return MailMessage(
        message_id=mail.message_id,
        direction=Direction.OUTBOUND if message.is_ours else Direction.INBOUND,
        from_name=mail.from_name,
        from_address=mail.from_address,
        sent_at=mail.sent_at or _LONG_AGO,
        subject=mail.subject,
        text=best_text(mail),
        automatic=mail.automatic,
        variant=mail.variant,
        attachments=mail.attachments,
        authentication=mail.authentication,
    )


def _render(message: MailMessage) -> str:
    sender = f"{message.from_name} <{message.from_address}>" if message.from_name else message.from_address
    lines = [f"From: {sender}", f"Date: {message.sent_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"]
    if message.subject:
        lines.append(f"Subject: {message.subject}")
    notes = [str(message.variant)] if message.variant else []
    if message.automatic not in (AutomaticKind.NONE, AutomaticKind.OWN_ADDRESS):
        notes.append(f"automatic mail ({message.automatic.value.replace('_', ' ')})")
    if notes:
        lines.append(f"Note: {', '.join(notes)}")
    if message.attachments:
        lines.append(f"Attachments: {', '.join(item.filename or item.attachment_id for item in message.attachments)}")
    return "\n".join([*lines, "", message.text.strip()])
