"""PURE: the shapes of request bodies, the provider's and the control API's; must not know the database or HTTP."""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from agentmail.sandbox.addresses import is_address

EVENT_TYPES = frozenset(
    {
        "message.received",
        "message.received.spam",
        "message.received.blocked",
        "message.received.unauthenticated",
        "message.sent",
        "message.delivered",
        "message.bounced",
        "message.complained",
        "message.rejected",
        "message.opened",
        "message.security.completed",
        "message.security.review",
        "message.security.override",
        "domain.verified",
        "calendar.event.created",
        "calendar.event.updated",
        "calendar.event.deleted",
        "calendar.event.responded",
        "calendar.event.starting",
        "calendar.event.ending",
    }
)


def _as_list(value: Any) -> Any:
    # The provider takes one text or a list of them, and null for none.
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _check_address(value: str) -> str:
    if not is_address(value):
        raise ValueError("must be one mail address, `a@b.example` or `Name <a@b.example>`")
    return value


def _check_one_line(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("must be one line without control characters")
    return value


def _decode_base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be Base64") from None


def _check_event_types(value: list[str]) -> list[str]:
    unknown = sorted(set(value) - EVENT_TYPES)
    if unknown:
        raise ValueError(f"has unknown event types: {', '.join(unknown)}")
    return value


def _check_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must be an http or https URL")
    return value


Address = Annotated[str, AfterValidator(_check_address)]
AddressList = Annotated[list[Address], BeforeValidator(_as_list)]
OneLine = Annotated[str, AfterValidator(_check_one_line)]
TextList = Annotated[list[OneLine], BeforeValidator(_as_list)]
HeaderDict = Annotated[dict[OneLine, OneLine], BeforeValidator(lambda value: {} if value is None else value)]
Content = Annotated[bytes, BeforeValidator(_decode_base64)]
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9\-._~]{1,256}$")]
EventTypes = Annotated[list[str], AfterValidator(_check_event_types), Field(min_length=1)]
HttpUrl = Annotated[str, AfterValidator(_check_url)]


class Body(BaseModel):
    """A request body of the provider's API; fields it does not know are ignored, as the provider does."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class AttachmentBody(Body):
    """One file of a mail to be sent: its content, or a URL that the provider would fetch."""

    filename: OneLine | None = None
    content_type: OneLine | None = None
    content_disposition: Literal["inline", "attachment"] | None = None
    content_id: OneLine | None = None
    content: Content | None = None
    url: str | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> "AttachmentBody":
        if (self.content is None) == (self.url is None):
            raise ValueError("needs exactly one of content and url")
        return self


AttachmentList = Annotated[list[AttachmentBody], BeforeValidator(_as_list)]


class MailBody(Body):
    """What every mail that the inbox is to send has, a draft included."""

    to: AddressList = []
    cc: AddressList = []
    bcc: AddressList = []
    reply_to: AddressList = []
    text: str | None = None
    html: str | None = None
    labels: TextList = []
    attachments: AttachmentList = []


class OutgoingBody(MailBody):
    """What sending and replying have in common."""

    headers: HeaderDict = {}


class SendBody(OutgoingBody):
    """POST …/messages/send."""

    subject: OneLine | None = None


class ReplyBody(OutgoingBody):
    """POST …/messages/{id}/reply; recipients and reply_all exclude each other."""

    reply_all: bool | None = None

    @model_validator(mode="after")
    def _names_recipients_once(self) -> "ReplyBody":
        if self.reply_all and (self.to or self.cc or self.bcc):
            raise ValueError("to, cc and bcc cannot be combined with reply_all")
        return self


class DraftBody(MailBody):
    """POST …/drafts; recipients may be missing until the draft is sent."""

    client_id: ClientId | None = None
    subject: OneLine | None = None
    in_reply_to: OneLine | None = None


class LabelsBody(Body):
    """PATCH …/messages/{id} and POST …/drafts/{id}/send."""

    add_labels: TextList = []
    remove_labels: TextList = []


class InboxBody(Body):
    """POST /inboxes."""

    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+\-]{0,63}$")] | None = None
    domain: Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-]{1,253}$")] | None = None
    display_name: OneLine | None = None
    client_id: ClientId | None = None
    metadata: dict[str, str | bool | int | float] | None = None


class WebhookBody(Body):
    """POST /webhooks."""

    url: HttpUrl
    event_types: EventTypes
    inbox_ids: Annotated[list[str], Field(max_length=10)] | None = None
    pod_ids: Annotated[list[str], Field(max_length=10)] | None = None
    client_id: ClientId | None = None
    headers: HeaderDict = {}


class WebhookPatchBody(Body):
    """PATCH /webhooks/{id}; the provider has no way to change the URL."""

    event_types: EventTypes | None = None
    enabled: bool | None = None
    add_inbox_ids: list[str] = []
    remove_inbox_ids: list[str] = []
    add_pod_ids: list[str] = []
    remove_pod_ids: list[str] = []


class ControlBody(BaseModel):
    """A body of the sandbox's own API; an unknown field is refused, because it is a typing mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InboundAttachmentBody(ControlBody):
    """One file of a mail that the counterparty sends."""

    filename: OneLine
    content_type: OneLine = "application/octet-stream"
    content: Content


class InboundBody(ControlBody):
    """POST /sandbox/inbound: what the counterparty writes."""

    thread_id: str | None = None
    in_reply_to: str | None = None
    # A thread of its own even where `in_reply_to` names a known mail, as a mail client without threading makes.
    new_thread: bool = False
    inbox_id: str | None = None
    message_id: Annotated[OneLine, Field(min_length=1, max_length=998)] | None = None
    sender: Address | None = Field(default=None, alias="from")
    cc: AddressList = []
    subject: OneLine | None = None
    text: str | None = None
    html: str | None = None
    headers: HeaderDict = {}
    attachments: list[InboundAttachmentBody] = []
    variant: Literal["spam", "blocked", "unauthenticated"] | None = None
    authentication_results: dict[str, str] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "InboundBody":
        if self.text is None and self.html is None:
            raise ValueError("needs text, or html for a mail without plain text")
        return self


class BounceBody(ControlBody):
    """POST /sandbox/bounce."""

    message_id: str
    type: Literal["Permanent", "Transient"] = "Permanent"
    sub_type: OneLine = "General"
    recipients: AddressList = []


class ComplaintBody(ControlBody):
    """POST /sandbox/complaint."""

    message_id: str
    type: OneLine = "abuse"
    sub_type: OneLine = "spam"


class RejectBody(ControlBody):
    """POST /sandbox/reject."""

    message_id: str
    reason: OneLine = "Bad content"


class BlockBody(ControlBody):
    """POST /sandbox/blocked."""

    address: Address


class ClockBody(ControlBody):
    """POST /sandbox/clock: moves the provider's clock on by so many hours, or back to the real time."""

    hours: Annotated[float, Field(ge=-10_000, le=10_000)] = 0
    reset: bool = False
