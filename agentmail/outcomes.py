"""PURE: every way a call to the mail provider can end, and what a send's end means for the mail's state.

Must not call anything. Values, not exceptions: each place that calls the provider decides on all of them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agentmail.inbound import InboundMail


@dataclass(frozen=True)
class Sent:
    """The provider accepted the mail. A bounce can still follow."""

    message_id: str
    thread_id: str


@dataclass(frozen=True)
class Refused:
    """Terminal for this mail: the same request would be refused again."""

    code: str
    reason: str


@dataclass(frozen=True)
class NotNow:
    """Surely not sent; worth another attempt. `retry_after_s` is the provider's wish, None without one."""

    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Unknown:
    """It may have been sent. Only the identical request under the same key may follow."""

    reason: str


@dataclass(frozen=True)
class Misconfigured:
    """Not sent, and not the mail's fault: our key, address or account has to be mended by an operator."""

    reason: str


SendOutcome = Sent | Refused | NotNow | Unknown | Misconfigured


@dataclass(frozen=True)
class Found:
    """A mail with our label exists at the provider."""

    message_id: str
    thread_id: str


@dataclass(frozen=True)
class Absent:
    """The provider lists no mail with our label at this moment; its lists may lag behind its sends."""


@dataclass(frozen=True)
class LookUpFailed:
    """The provider did not say whether the mail exists."""

    reason: str


LookUp = Found | Absent | LookUpFailed


@dataclass(frozen=True)
class ThreadMessage:
    """One message of a live thread; `is_ours` when it left from our inbox."""

    mail: InboundMail
    is_ours: bool


@dataclass(frozen=True)
class FetchedThread:
    """All pages of a thread, oldest message first."""

    messages: tuple[ThreadMessage, ...]


@dataclass(frozen=True)
class ThreadMissing:
    """The provider knows no such thread."""


@dataclass(frozen=True)
class FetchFailed:
    """The provider did not give what was asked for."""

    reason: str


ThreadRead = FetchedThread | ThreadMissing | FetchFailed


@dataclass(frozen=True)
class ListedMessage:
    """One message of an inbox's list, which has no bodies. `at` is the mail's own time: its sender may have set it."""

    message_id: str
    is_ours: bool
    at: datetime | None


@dataclass(frozen=True)
class ListedMessages:
    """One page of an inbox, oldest message first; `next_page_token` is "" on the last page."""

    messages: tuple[ListedMessage, ...]
    next_page_token: str


MessageList = ListedMessages | FetchFailed


@dataclass(frozen=True)
class FetchedMessage:
    """One message with its bodies."""

    mail: InboundMail


@dataclass(frozen=True)
class MessageMissing:
    """The provider knows no such message."""


MessageRead = FetchedMessage | MessageMissing | FetchFailed


@dataclass(frozen=True)
class AttachmentLink:
    """A fresh download link; `expires_at` is aware, `size` in bytes."""

    attachment_id: str
    filename: str
    content_type: str
    size: int
    download_url: str
    expires_at: datetime


@dataclass(frozen=True)
class AttachmentMissing:
    """The provider knows no such attachment."""


AttachmentRead = AttachmentLink | AttachmentMissing | FetchFailed


@dataclass(frozen=True)
class OriginalLink:
    """A fresh download link to a whole mail as it travelled (RFC 5322); it expires soon."""

    download_url: str


OriginalRead = OriginalLink | MessageMissing | FetchFailed


class MailState(StrEnum):
    """Where an outbound mail stands. Only FROZEN is known not to have been sent and yet may be."""

    FROZEN = "frozen"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    REFUSED = "refused"
    ABANDONED = "abandoned"


SETTLED = frozenset({MailState.SENT, MailState.REFUSED, MailState.ABANDONED})


def state_of_attempt(state: MailState) -> MailState:
    """Returns the state that an attempt begins in: a repeat of one whose answer was lost is unknown from the start."""
    if state in SETTLED:
        return state
    return MailState.SENDING if state is MailState.FROZEN else MailState.UNKNOWN


def state_after(state: MailState, outcome: SendOutcome) -> MailState:
    """Returns the state after an attempt ended. A settled state never changes.

    That a repeat was not sent says nothing about the attempt before it, so `unknown` stays unknown.
    """
    if state in SETTLED:
        return state
    if isinstance(outcome, Sent):
        return MailState.SENT
    if isinstance(outcome, Refused):
        return MailState.REFUSED
    if isinstance(outcome, Unknown) or state is MailState.UNKNOWN:
        return MailState.UNKNOWN
    return MailState.FROZEN
