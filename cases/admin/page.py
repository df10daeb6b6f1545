"""Gathers what the page of one case shows; must not change anything or ask the mail provider."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from agentmail.reading import MailMessage, read_stored_thread
from cases.admin import words
from cases.admin.words import Chip
from cases.agent.text import MAX_CHARS, MAX_LINE_CHARS, MAX_LINES, split_quoted
from cases.models import AgentRun, Case, CaseEvent, InputRequest
from webhooks.models import Delivery
from webhooks.services import list_deliveries


@dataclass(frozen=True, slots=True)
class Message:
    """One mail of the transcript; `quoted` is what it repeats of earlier ones."""

    is_ours: bool
    sender: str
    address: str
    sent_at: datetime
    subject: str
    fresh: str
    quoted: str
    note: str
    attachments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One event on the timeline, with what the agent made of it."""

    title: str
    at: datetime
    state: Chip | None
    summary: str
    answer: InputRequest | None
    effort: str
    last_error: str
    run: AgentRun | None
    decision: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST of a webhook."""

    state: Chip
    at: datetime
    status_code: int | None
    error: str
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One event on its way to the client. The host alone is shown: a URL's path often holds a secret."""

    event_type: str
    host: str
    state: Chip
    at: datetime
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class CasePage:
    """All that the template needs, in words."""

    case: Case
    status: Chip
    next_action: str
    attempts: str
    question: InputRequest | None
    answered: tuple[InputRequest, ...]
    has_dead_event: bool
    messages: tuple[Message, ...]
    steps: tuple[Step, ...]
    deliveries: tuple[WebhookDelivery, ...]
    knowledge: tuple[tuple[str, str], ...]
    knowledge_text: str
    result: tuple[tuple[str, str], ...]
    result_schema: str
    custom_data: tuple[tuple[str, str], ...]
    metadata: str
    webhook_host: str


def gather_page(case: Case, *, now: datetime) -> CasePage:
    """Returns the page of `case` as of `now` (the real clock); six queries whatever the case holds."""
    requests = list(case.input_requests.order_by("requested_at", "id"))
    events = list(case.events.select_related("agent_run").order_by("id"))
    newest = requests[-1] if requests else None
    case_now = case.get_now(now)
    return CasePage(
        case=case,
        status=words.describe_status(case.status),
        next_action=words.describe_next_action(case.status, case.next_action, case.next_action_at, case_now),
        attempts=words.describe_attempts(case.attempt_count, case.follow_ups_sent, case.max_attempts),
        question=newest if newest and newest.status == InputRequest.PENDING else None,
        answered=tuple(request for request in requests if request.status == InputRequest.RESOLVED),
        has_dead_event=any(event.status == CaseEvent.DEAD for event in events),
        messages=tuple(_show_message(message, case) for message in read_stored_thread(case.id).messages),
        steps=tuple(_show_step(event, requests, now) for event in events),
        deliveries=tuple(_show_delivery(delivery) for delivery in list_deliveries(case.id)),
        knowledge=_list_members(case.knowledge),
        knowledge_text=case.knowledge if isinstance(case.knowledge, str) else "",
        result=_list_members(case.result),
        result_schema=_format_json(case.result_schema),
        custom_data=_list_members(case.counterparty_custom_data),
        metadata=_format_json(case.metadata),
        webhook_host=urlsplit(case.client_webhook_url).hostname or "",
    )


def _show_message(message: MailMessage, case: Case) -> Message:
    is_ours = message.direction == "outbound"
    fresh, quoted = fold_quoted(message.text)
    return Message(
        is_ours=is_ours,
        sender=case.persona_name if is_ours else message.from_name or message.from_address,
        address=message.from_address,
        sent_at=message.sent_at,
        subject=message.subject,
        fresh=fresh,
        quoted=quoted,
        note=words.describe_mail(message.automatic, message.variant),
        attachments=tuple(item.filename or "attachment" for item in message.attachments),
    )


def fold_quoted(text: str) -> tuple[str, str]:
    """Returns (own words, quoted mail); a text beyond the splitter's caps stays whole, because it drops the rest."""
    lines = text.split("\n")
    if len(text) > MAX_CHARS or len(lines) > MAX_LINES or any(len(line) > MAX_LINE_CHARS for line in lines):
        return text.strip(), ""
    fresh, quoted = split_quoted(text)
    return fresh.strip(), quoted.strip("\n")


def _show_step(event: CaseEvent, requests: list[InputRequest], now: datetime) -> Step:
    run = getattr(event, "agent_run", None)
    answered_id = str(event.payload.get("input_request_id", ""))
    return Step(
        title=words.describe_event(event.kind),
        at=event.created_at,
        state=words.describe_event_state(
            event.status, run_after=event.run_after, attempt=event.attempt, failures=event.failures, now=now
        ),
        summary=event.summary,
        answer=next((request for request in requests if str(request.id) == answered_id), None),
        effort=words.describe_effort(event.attempt, event.failures, event.waits),
        last_error=event.last_error,
        run=run,
        decision=words.describe_decision(run.decision) if run else "",
    )


def _show_delivery(delivery: Delivery) -> WebhookDelivery:
    attempts = tuple(
        Attempt(
            state=words.describe_delivery(attempt.outcome),
            at=attempt.started_at,
            status_code=attempt.status_code,
            error=attempt.error,
            duration_ms=attempt.duration_ms,
        )
        for attempt in delivery.attempts.all()
    )
    return WebhookDelivery(
        event_type=delivery.event_type,
        host=delivery.url_host,
        state=words.describe_delivery(delivery.state),
        at=delivery.created_at,
        attempts=attempts,
    )


def _list_members(document: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(document, dict):
        return ()
    # What must not leave stands last, apart from what may.
    members = sorted(document.items(), key=lambda member: member[0] == "private")
    return tuple((name, value if isinstance(value, str) else _format_json(value)) for name, value in members)


def _format_json(document: Any) -> str:
    return "" if document is None else json.dumps(document, indent=2, ensure_ascii=False)
