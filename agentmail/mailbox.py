"""The mail of one owner as our own tables hold it; reads only, and must not ask the provider."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from agentmail.automatic import AutomaticKind
from agentmail.inbound import AttachmentInfo, Variant, choose_text
from agentmail.models import InboundEmail, OutboundEmail
from agentmail.rows import Rows

_SENT, _RECEIVED = Rows(OutboundEmail), Rows(InboundEmail)


class Direction(StrEnum):
    """Which way a mail went, seen from us."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


@dataclass(frozen=True)
class StoredMail:
    """A mail from our own tables. `text` is what was written, without quotes where the provider cut them off."""

    email_id: UUID
    direction: Direction
    inbox_id: str
    message_id: str
    thread_id: str
    from_name: str
    from_address: str
    to: tuple[str, ...]
    subject: str
    text: str
    sent_at: datetime
    automatic: AutomaticKind
    variant: Variant
    attachments: tuple[AttachmentInfo, ...]
    authentication: dict[str, Any] | None


def list_mail(owner: UUID) -> list[StoredMail]:
    """Returns the owner's mail, oldest first: ours that the provider has accepted, theirs that was matched."""
    of_owner = {"owner": owner}
    ours = [_ours(mail) for mail in _SENT.find("owner = %(owner)s AND message_id <> ''", of_owner)]
    known = {mail.message_id for mail in ours}
    received = _RECEIVED.find("owner = %(owner)s", of_owner)
    # An echo of our own mail is shown once. A stranger who takes an id of ours for his Message-ID is no echo.
    theirs = [_theirs(mail) for mail in received if not (_is_echo(mail) and mail.message_id in known)]
    return sorted(ours + theirs, key=lambda mail: (mail.sent_at, mail.message_id))


def _is_echo(mail: InboundEmail) -> bool:
    return mail.automatic == AutomaticKind.OWN_ADDRESS


def _ours(mail: OutboundEmail) -> StoredMail:
    return StoredMail(
        email_id=mail.id,
        direction=Direction.OUTBOUND,
        inbox_id=mail.inbox_id,
        message_id=mail.message_id,
        thread_id=mail.thread_id,
        from_name="",
        from_address=mail.inbox_id,
        to=(mail.to_address,),
        subject=mail.subject,
        text=mail.text,
        # When it may have been accepted first: an answer can arrive before we have recorded the send.
        sent_at=mail.first_attempt_at or mail.sent_at or mail.frozen_at,
        automatic=AutomaticKind.NONE,
        variant=Variant.NONE,
        attachments=(),
        authentication=None,
    )


def _theirs(mail: InboundEmail) -> StoredMail:
    return StoredMail(
        email_id=mail.id,
        direction=Direction.OUTBOUND if _is_echo(mail) else Direction.INBOUND,
        inbox_id=mail.inbox_id,
        message_id=mail.message_id,
        thread_id=mail.thread_id,
        from_name=mail.from_name,
        from_address=mail.from_address,
        to=tuple(mail.to),
        subject=mail.subject,
        text=choose_text(mail.extracted_text, mail.text, mail.html),
        # The sender's clock may be ahead; nothing was sent after it arrived.
        sent_at=min(mail.sent_at or mail.received_at, mail.received_at),
        automatic=AutomaticKind(mail.automatic),
        variant=Variant(mail.variant),
        attachments=tuple(AttachmentInfo(**attachment) for attachment in mail.attachments),
        authentication=mail.authentication,
    )
