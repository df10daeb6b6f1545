"""What the tests of mail share: a scripted provider, signed webhooks, mail as the provider tells it."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from agentmail.inbound import ParsedEvent, parse_event
from agentmail.matching import MatchedFailure, MatchedReply, StoredEvent, store_event
from agentmail.models import OutboundEmail
from agentmail.outcomes import Sent
from agentmail.services import begin_attempt, freeze_mail, settle_attempt
from tests.agentmail.provider import Provider

INBOX = "agent@offload.example"
OWNER = UUID("6f9f1f0e-0000-4000-8000-000000000001")
OTHER = UUID("6f9f1f0e-0000-4000-8000-000000000002")
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SECRET = "whsec_dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="

_numbers = itertools.count(1)


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A mail provider that plays a script."""
    server = Provider()
    yield server
    server.close()


@dataclass
class Hooks:
    """Remembers what was handed over."""

    replies: list[MatchedReply] = field(default_factory=list)
    failures: list[MatchedFailure] = field(default_factory=list)

    def store(self, event: dict[str, Any], now: datetime = NOW) -> StoredEvent:
        """Stores an event as the webhook would."""
        return store_event(parse(event), now=now, **self.as_arguments())

    def as_arguments(self) -> dict[str, Callable[..., None]]:
        """The two hooks by name."""
        return {"on_reply": self.replies.append, "on_delivery_failure": self.failures.append}


@pytest.fixture
def hooks() -> Hooks:
    """Fresh, empty hooks."""
    return Hooks()


def freeze(*, owner: UUID = OWNER, reference: str = "", **changes: Any) -> OutboundEmail:
    """A frozen mail to Maya; members can be changed by name."""
    values: dict[str, Any] = {
        "inbox_id": INBOX,
        "to_address": "maya@northwind.example",
        "to_name": "Maya Chen",
        "subject": "Your W-9 form",
        "text": "Hello Maya,\n\ncould you send us your W-9?\n\nAda",
        "reply_to_message_id": "",
        "now": NOW,
    }
    return freeze_mail(owner=owner, reference=reference or f"event-{next(_numbers)}", **(values | changes))


def send(message_id: str, thread_id: str, *, owner: UUID = OWNER, **changes: Any) -> OutboundEmail:
    """A mail that the provider accepted under these ids."""
    mail = freeze(owner=owner, **changes)
    begin_attempt(mail.id, NOW)
    return settle_attempt(mail.id, Sent(message_id, thread_id), NOW)


def received(message_id: str = "<reply@northwind.example>", thread_id: str = "t-1", **members: Any) -> dict[str, Any]:
    """A message.received event, as AgentMail documents it; `event_type` and `event_id` go to the envelope."""
    envelope = {
        "type": "event",
        "event_type": members.pop("event_type", "message.received"),
        "event_id": members.pop("event_id", f"evt_{uuid.uuid4().hex}"),
    }
    message = {
        "inbox_id": INBOX,
        "thread_id": thread_id,
        "message_id": message_id,
        "labels": ["received"],
        "timestamp": "2026-11-24T09:58:30.000Z",
        "from": "Maya Chen <maya@northwind.example>",
        "to": [INBOX],
        "size": 812,
        "subject": "Re: Your W-9 form",
        "text": "Here it is.",
        "extracted_text": "Here it is.",
        "updated_at": "2026-11-24T09:58:31.000Z",
        "created_at": "2026-11-24T09:58:31.000Z",
    }
    return envelope | {"message": message | members, "thread": {"thread_id": thread_id, "inbox_id": INBOX}}


def reported(kind: str, message_id: str, thread_id: str, **members: Any) -> dict[str, Any]:
    """A message.bounced, .complained or .rejected event."""
    name = {"bounced": "bounce", "complained": "complaint", "rejected": "reject"}[kind]
    body = {"inbox_id": INBOX, "thread_id": thread_id, "message_id": message_id, "timestamp": "2026-11-24T09:59:00Z"}
    return {
        "type": "event",
        "event_type": f"message.{kind}",
        "event_id": f"evt_{uuid.uuid4().hex}",
        name: body | members,
    }


def parse(event: dict[str, Any]) -> ParsedEvent:
    """The event as the webhook reads it."""
    return parse_event(json.dumps(event).encode(), f"msg_{uuid.uuid4().hex}")


def sign(body: bytes, *, delivery_id: str = "msg_1", at: datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    """The three headers that prove the body, under Svix's names."""
    return {
        "svix-id": delivery_id,
        "svix-timestamp": str(int(at.timestamp())),
        "svix-signature": Webhook(secret).sign(delivery_id, at, body.decode(errors="surrogateescape"))
        if _is_text(body)
        else "v1,AAAA",
    }


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.fixture(autouse=True)
def _our_inbox(settings: Any) -> None:
    settings.AGENTMAIL_INBOX_ID = INBOX
    settings.AGENTMAIL_WEBHOOK_SECRETS = [SECRET]
