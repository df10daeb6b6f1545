"""PURE: reads AgentMail's webhooks and messages into frozen values; must not refuse what is authentic.

Written by hand because the provider's own event classes raise on shapes that its documentation shows.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from agentmail.automatic import AutomaticKind, classify_automatic
from agentmail.cleaning import clean_id, clean_line, clean_text, load_json
from agentmail.html_text import html_to_text
from agentmail.signature import WebhookRefused, verify_webhook

__all__ = [
    "AttachmentInfo",
    "AutomaticKind",
    "DeliveryReport",
    "EventKind",
    "InboundMail",
    "ParsedEvent",
    "ReportKind",
    "Variant",
    "WebhookRefused",
    "best_text",
    "choose_text",
    "classify_automatic",
    "find_dmarc",
    "parse_event",
    "parse_message",
    "verify_webhook",
]

# A References header names a whole thread; the first and the last of it identify it.
MAX_REFERENCES = 100
_NAME_CHARS = 255


class Variant(StrEnum):
    """How the provider judged a received mail; NONE is an ordinary one."""

    NONE = ""
    SPAM = "spam"
    BLOCKED = "blocked"
    UNAUTHENTICATED = "unauthenticated"


class ReportKind(StrEnum):
    """What became of a mail of ours. The values are the contract's `resultStatus`."""

    BOUNCED = "BOUNCED"
    COMPLAINED = "COMPLAINED"
    REJECTED = "REJECTED"


class EventKind(StrEnum):
    """What an event is to us: a mail, a failed delivery, a fact that is only kept, or nothing we read."""

    MAIL = "mail"
    REPORT = "report"
    EVIDENCE = "evidence"
    IGNORED = "ignored"


@dataclass(frozen=True)
class AttachmentInfo:
    """An attachment's description; `size` in bytes. The name is one line without any folder."""

    attachment_id: str
    filename: str
    content_type: str
    size: int


@dataclass(frozen=True)
class InboundMail:
    """One message. Ids are the provider's, verbatim, angle brackets included; `headers` have lower-case names."""

    inbox_id: str
    message_id: str
    thread_id: str
    from_address: str
    from_name: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    extracted_text: str
    in_reply_to: str
    references: tuple[str, ...]
    headers: dict[str, str]
    attachments: tuple[AttachmentInfo, ...]
    sent_at: datetime | None
    variant: Variant
    authentication: dict[str, Any] | None
    automatic: AutomaticKind


@dataclass(frozen=True)
class DeliveryReport:
    """The provider's word that a mail of ours failed. `addresses` may be empty: a rejection names none."""

    kind: ReportKind
    inbox_id: str
    thread_id: str
    message_id: str
    addresses: tuple[str, ...]
    detail: str
    is_transient: bool
    at: datetime | None


@dataclass(frozen=True)
class ParsedEvent:
    """An authentic event. Exactly one of `mail` and `report` is set for those kinds; `note` says why one is ignored."""

    event_id: str
    svix_id: str
    event_type: str
    kind: EventKind
    payload: dict[str, Any]
    inbox_id: str = ""
    thread_id: str = ""
    message_id: str = ""
    mail: InboundMail | None = None
    report: DeliveryReport | None = None
    note: str = ""


_VARIANTS = {
    "message.received": Variant.NONE,
    "message.received.spam": Variant.SPAM,
    "message.received.blocked": Variant.BLOCKED,
    "message.received.unauthenticated": Variant.UNAUTHENTICATED,
}
_REPORTS = {
    "message.bounced": ("bounce", ReportKind.BOUNCED),
    "message.complained": ("complaint", ReportKind.COMPLAINED),
    "message.rejected": ("reject", ReportKind.REJECTED),
}
_EVIDENCE = {"message.sent": "send", "message.delivered": "delivery", "message.opened": "open"}


def parse_event(raw_body: bytes, svix_id: str) -> ParsedEvent:
    """Returns what an authentic body says, cleaned for PostgreSQL; never raises.

    A body that is no JSON object, or lacks the ids that everything else hangs on, is IGNORED with a note and keeps
    its content in `payload`. The event's own id identifies it; without one the delivery's does, or its digest.
    """
    delivery_id = clean_id(svix_id) or hashlib.sha256(raw_body).hexdigest()
    payload: dict[str, Any] = {"unreadable": clean_text(raw_body.decode(errors="replace"))}
    event_type = ""
    try:
        content = load_json(raw_body)
        if not isinstance(content, dict):
            return ParsedEvent(delivery_id, delivery_id, "", EventKind.IGNORED, payload, note="no JSON object")
        payload = content
        event_type = clean_line(_text(payload.get("event_type")))[:_NAME_CHARS]
        return _read_event(clean_id(payload.get("event_id")) or delivery_id, delivery_id, event_type, payload)
    except Exception as error:  # refused, it would come again for a day and then be lost; kept, a human can read it
        note = f"unreadable ({type(error).__name__})"
        return ParsedEvent(delivery_id, delivery_id, event_type, EventKind.IGNORED, payload, note=note)


def parse_message(
    raw: Mapping[str, Any], *, inbox_id: str = "", thread_id: str = "", variant: Variant = Variant.NONE
) -> InboundMail | None:
    """Returns a provider's Message as a value, or None when an id is missing; never raises on odd members.

    `inbox_id` and `thread_id` stand in for absent ones. A label of the provider's judgement sets the variant.
    """
    inbox = clean_id(raw.get("inbox_id")) or inbox_id
    message_id = clean_id(raw.get("message_id"))
    thread = clean_id(raw.get("thread_id")) or thread_id
    if not (inbox and message_id and thread):
        return None
    headers = _read_headers(raw.get("headers"))
    name, address = _read_address(raw.get("from", raw.get("from_")))
    subject = clean_line(_text(raw.get("subject")))
    text, extracted = _text(raw.get("text")), _text(raw.get("extracted_text"))
    html = _text(raw.get("extracted_html")) or _text(raw.get("html"))
    authentication = raw.get("authentication_results")
    return InboundMail(
        inbox_id=inbox,
        message_id=message_id,
        thread_id=thread,
        from_address=address,
        from_name=name,
        to=tuple(_text_items(raw.get("to"))),
        subject=subject,
        text=text,
        html=html,
        extracted_text=extracted,
        in_reply_to=clean_id(_text(raw.get("in_reply_to") or headers.get("in-reply-to")).strip()),
        references=_read_references(raw.get("references") or headers.get("references")),
        headers=headers,
        attachments=_read_attachments(raw.get("attachments")),
        sent_at=_read_time(raw.get("timestamp")),
        variant=variant or _variant_of_labels(raw.get("labels")),
        authentication=authentication if isinstance(authentication, dict) else None,
        automatic=classify_automatic(
            from_address=address,
            subject=subject,
            text=choose_text(extracted, text, html),
            headers=headers,
            own_addresses=(inbox,),
        ),
    )


def best_text(mail: InboundMail) -> str:
    """Returns what the sender wrote: without the quoted mail where the provider cut it off, else all of it."""
    return choose_text(mail.extracted_text, mail.text, mail.html)


def choose_text(extracted: str, text: str, html: str) -> str:
    """Returns the first of the three that says anything, HTML as text."""
    if extracted.strip():
        return extracted
    return text if text.strip() else html_to_text(html)


def find_dmarc(authentication: Mapping[str, Any] | None) -> str:
    """Returns the provider's DMARC verdict on a mail in lower case, such as "pass" or "fail"; "" when it gives none.

    Its SDK does not describe the member, so a text, a text with details behind it and an object are all read.
    """
    verdict = (authentication or {}).get("dmarc")
    if isinstance(verdict, dict):
        verdict = verdict.get("result") or verdict.get("status")
    words = re.findall(r"[a-z]+", verdict.lower()) if isinstance(verdict, str) else []
    return words[0] if words else ""


def _read_event(event_id: str, svix_id: str, event_type: str, payload: dict[str, Any]) -> ParsedEvent:
    if event_type in _VARIANTS:
        thread = clean_id(_member(payload, "thread").get("thread_id"))
        message = _member(payload, "message")
        mail = parse_message(message, thread_id=thread, variant=_VARIANTS[event_type])
        if mail is None:
            note = "a mail without inbox_id, message_id or thread_id"
            return ParsedEvent(event_id, svix_id, event_type, EventKind.IGNORED, payload, note=note)
        ids = (mail.inbox_id, mail.thread_id, mail.message_id)
        return ParsedEvent(event_id, svix_id, event_type, EventKind.MAIL, payload, *ids, mail=mail)
    if event_type in _REPORTS:
        name, kind = _REPORTS[event_type]
        report = _read_report(kind, _member(payload, name))
        ids = (report.inbox_id, report.thread_id, report.message_id)
        if not (report.message_id or report.thread_id):
            note = "a report without message_id and thread_id"
            return ParsedEvent(event_id, svix_id, event_type, EventKind.IGNORED, payload, note=note)
        return ParsedEvent(event_id, svix_id, event_type, EventKind.REPORT, payload, *ids, report=report)
    if event_type in _EVIDENCE:
        ids = _read_ids(_member(payload, _EVIDENCE[event_type]))
        return ParsedEvent(event_id, svix_id, event_type, EventKind.EVIDENCE, payload, *ids)
    return ParsedEvent(event_id, svix_id, event_type, EventKind.IGNORED, payload, note="a type Offload does not read")


def _read_report(kind: ReportKind, raw: dict[str, Any]) -> DeliveryReport:
    inbox_id, thread_id, message_id = _read_ids(raw)
    recipients = raw.get("recipients")
    addresses = []
    words = [_text(raw.get("type")), _text(raw.get("sub_type")), _text(raw.get("reason"))]
    for recipient in recipients if isinstance(recipients, list) else []:
        addresses.append(_read_address(recipient)[1].lower())
        if isinstance(recipient, dict):
            words.append(_text(recipient.get("status")))
    return DeliveryReport(
        kind=kind,
        inbox_id=inbox_id,
        thread_id=thread_id,
        message_id=message_id,
        addresses=tuple(address for address in addresses if address),
        detail=clean_line(" · ".join(word for word in words if word))[:500],
        is_transient=kind is ReportKind.BOUNCED and words[0].strip().lower() == "transient",
        at=_read_time(raw.get("timestamp")),
    )


def _read_ids(raw: dict[str, Any]) -> tuple[str, str, str]:
    return clean_id(raw.get("inbox_id")), clean_id(raw.get("thread_id")), clean_id(raw.get("message_id"))


def _member(payload: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return clean_text(value) if isinstance(value, str) else ""


def _text_items(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [clean_text(item) for item in items if isinstance(item, str) and item]


def _read_address(value: object) -> tuple[str, str]:
    """Returns (name, address) of a text, a list of them or a mapping: the provider documents all three."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        address = clean_line(_text(value.get("email")) or _text(value.get("address")))
        return clean_line(_text(value.get("name")))[:_NAME_CHARS], address
    text = clean_line(_text(value))
    if not (text.endswith(">") and "<" in text):
        return "", text
    name, _, address = text[:-1].rpartition("<")
    name = re.sub(r"\\(.)", r"\1", name.strip().strip('"'))
    return name[:_NAME_CHARS], address.strip()


def _read_headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {name.strip().lower(): ", ".join(_text_items(content)) for name, content in value.items()}


def _read_references(value: object) -> tuple[str, ...]:
    ids = [clean_id(item) for text in _text_items(value) for item in text.split()]
    ids = [item for item in ids if item]
    if len(ids) > MAX_REFERENCES:
        ids = [ids[0], *ids[-(MAX_REFERENCES - 1) :]]
    return tuple(ids)


def _read_attachments(value: object) -> tuple[AttachmentInfo, ...]:
    found = []
    for item in value if isinstance(value, list) else []:
        if not isinstance(item, dict) or not clean_id(item.get("attachment_id")):
            continue
        size = item.get("size")
        filename = re.split(r"[/\\]", clean_line(_text(item.get("filename"))))[-1][-_NAME_CHARS:]
        found.append(
            AttachmentInfo(
                attachment_id=clean_id(item.get("attachment_id")),
                filename="" if filename in (".", "..") else filename,
                content_type=clean_line(_text(item.get("content_type")))[:_NAME_CHARS],
                size=size if isinstance(size, int) and size >= 0 else 0,
            )
        )
    return tuple(found)


def _read_time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value).strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _variant_of_labels(value: object) -> Variant:
    labels = {label.lower() for label in _text_items(value)}
    for variant in (Variant.BLOCKED, Variant.SPAM, Variant.UNAUTHENTICATED):
        if variant in labels:
            return variant
    return Variant.NONE
