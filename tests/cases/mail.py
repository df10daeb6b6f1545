"""Stored mail for tests: one of ours that was sent, one of theirs that was matched; must not touch the network."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from agentmail.models import InboundEmail, OutboundEmail, ProviderEvent
from cases.models import Case

INBOX = "agent@offload.example"
THREAD = "thread/1"


def store_sent_mail(case: Case, text: str, sent_at: datetime, *, subject: str = "Your W-9") -> OutboundEmail:
    """Stores a mail of ours that the provider accepted."""
    mail_id = uuid4()
    return OutboundEmail.objects.create(
        id=mail_id,
        owner=case.id,
        reference=f"event:{mail_id}",
        inbox_id=INBOX,
        to_address=case.counterparty_address,
        subject=subject,
        text=text,
        payload="{}",
        idempotency_key=f"offload.test.{mail_id}",
        label=f"offload-{mail_id}",
        state="sent",
        attempts=1,
        first_attempt_at=sent_at,
        last_attempt_at=sent_at,
        frozen_at=sent_at,
        sent_at=sent_at,
        message_id=f"<{mail_id}@offload.example>",
        thread_id=THREAD,
    )


def store_reply(case: Case, text: str, received_at: datetime, **values: Any) -> InboundEmail:
    """Stores a mail of the counterparty's that was matched to the case."""
    event_id = f"evt_{uuid4()}"
    event = ProviderEvent.objects.create(
        event_id=event_id, kind="mail", payload={}, received_at=received_at, owner=case.id, matched_at=received_at
    )
    given: dict[str, Any] = {
        "from_name": case.counterparty_name,
        "from_address": case.counterparty_address,
        "subject": "Re: Your W-9",
        "message_id": f"<{event_id}@northstar.example>",
        **values,
    }
    return InboundEmail.objects.create(
        owner=case.id,
        matched_at=received_at,
        event=event,
        received_at=received_at,
        sent_at=received_at,
        inbox_id=INBOX,
        thread_id=THREAD,
        text=text,
        **given,
    )
