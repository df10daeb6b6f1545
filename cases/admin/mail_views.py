"""One mail on pages of its own: as its sender formatted it, for the frame alone, and its headers; must not ask anybody.

Whoever calls has checked that the reader may see the case and that the mail belongs to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from agentmail.models import InboundEmail, OutboundEmail
from agentmail.safe_html import render_html_mail
from cases.admin import words
from cases.admin.plain import reveal_line
from cases.models import Case

# Its own policy, because a page in a frame does not take over that of the page around it. "sandbox" holds even where
# somebody opens the address outside the frame.
MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)


@dataclass(frozen=True, slots=True)
class Header:
    """One header of a mail; what is invisible or reorders its neighbours stands as a code."""

    name: str
    value: str


def answer_formatted_mail(mail: InboundEmail | OutboundEmail) -> HttpResponse:
    """Returns the mail's HTML, sanitised, under a policy that allows neither script nor any request."""
    markup = mail.html if isinstance(mail, InboundEmail) else ""
    body = render_html_mail(markup or "<p>This mail came without formatting.</p>", f"Mail: {reveal_line(mail.subject)}")
    response = HttpResponse(body, content_type="text/html; charset=utf-8")
    response["Content-Security-Policy"] = MAIL_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    return response


def show_headers(
    request: HttpRequest, case: Case, mail: InboundEmail | OutboundEmail, context: dict[str, Any]
) -> TemplateResponse:
    """Returns the page with what is known of the mail beside its words."""
    is_theirs = isinstance(mail, InboundEmail)
    headers = _list_received(mail) if isinstance(mail, InboundEmail) else _list_sent(mail)
    shown = {
        **context,
        "title": "Headers",
        "case": case,
        "mail": mail,
        "is_theirs": is_theirs,
        "headers": tuple(Header(name, reveal_line(value)) for name, value in headers if value),
    }
    return TemplateResponse(request, "cases/page/headers.html", shown)


def _list_received(mail: InboundEmail) -> Iterable[tuple[str, str]]:
    yield "From", _format_address(mail.from_name, mail.from_address)
    yield "To", ", ".join(mail.to)
    yield "Subject", mail.subject
    yield "Date", words.format_time(mail.sent_at) if mail.sent_at else ""
    yield "Received", words.format_time(mail.received_at)
    yield "Message-ID", mail.message_id
    yield "In-Reply-To", mail.in_reply_to
    yield "References", " ".join(mail.references)
    for name, value in mail.headers.items():
        yield name, str(value)
    for check, verdict in (mail.authentication or {}).items():
        yield f"Checked by the provider: {check}", verdict if isinstance(verdict, str) else json.dumps(verdict)


def _list_sent(mail: OutboundEmail) -> Iterable[tuple[str, str]]:
    request = json.loads(mail.payload)
    yield "From", mail.inbox_id
    yield "To", ", ".join(request.get("to") or [mail.to_address])
    yield "Subject", mail.subject
    yield "Sent", words.format_time(mail.sent_at) if mail.sent_at else ""
    yield "Message-ID", mail.message_id
    yield "In-Reply-To", mail.reply_to_message_id
    for name, value in (request.get("headers") or {}).items():
        yield name, str(value)
    yield "Label at the provider", mail.label


def _format_address(name: str, address: str) -> str:
    return f"{name} <{address}>" if name else address
