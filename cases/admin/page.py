"""Gathers what the page of one case shows; must not change anything or ask the mail provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.admin.models import LogEntry

from agentmail.inbound import find_dmarc
from agentmail.models import DeclinedAddress, ProviderEvent, SuppressedAddress
from agentmail.reading import MailMessage, read_stored_thread
from cases.admin import words
from cases.admin.queues import LIVE_STATUSES, DeadStep, describe_dead_step
from cases.admin.words import Chip
from cases.agent.text import MAX_CHARS, MAX_LINE_CHARS, MAX_LINES, split_quoted
from cases.agent.wanted import WantedField, humanize, list_wanted_fields
from cases.models import AgentRun, Case, CaseEvent, InputRequest
from cases.workflow import ResultStatus, Status
from webhooks.models import Delivery
from webhooks.services import list_deliveries

_MAIL_FAILURES = (ResultStatus.SEND_FAILED, ResultStatus.BOUNCED, ResultStatus.COMPLAINED, ResultStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a mail; `pk` names the row that it can be fetched by, None when there is no such row."""

    name: str
    pk: int | None


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a JSON object; what is private must not leave in a mail."""

    label: str
    value: str
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why the counterparty's address gets no more mail, and the row that says so, on its `page` of the admin."""

    sentence: str
    pk: UUID
    page: str = "admin:agentmail_suppressedaddress_change"


@dataclass(frozen=True, slots=True)
class Message:
    """One mail of the transcript; `quoted` is what it repeats of earlier ones."""

    message_id: str
    is_ours: bool
    sender: str
    address: str
    sent_at: datetime
    subject: str
    fresh: str
    quoted: str
    note: str
    files: tuple[File, ...]


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
    usage: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody of the staff did to the case, from the audit log."""

    sentence: str
    who: str
    at: datetime


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
    is_answered: bool
    dead_steps: tuple[DeadStep, ...]
    result_words: str
    suppression: Suppression | None
    messages: tuple[Message, ...]
    steps: tuple[Step, ...]
    deeds: tuple[Deed, ...]
    deliveries: tuple[WebhookDelivery, ...]
    knowledge: tuple[Member, ...]
    knowledge_text: str
    result: tuple[Member, ...]
    wanted: tuple[WantedField, ...]
    result_schema: str
    custom_data: tuple[Member, ...]
    metadata: str
    webhook_host: str


def gather_page(case: Case, *, now: datetime) -> CasePage:
    """Returns the page of `case` as of `now` (the real clock); nine queries at most, whatever the case holds."""
    requests = list(case.input_requests.order_by("requested_at", "id"))
    events = list(case.events.select_related("agent_run").order_by("id"))
    newest = requests[-1] if requests else None
    is_answered = case.status == Status.INPUT_NEEDED and newest is not None and newest.status == InputRequest.RESOLVED
    messages = _show_messages(case)
    sources = {m.message_id: f"{m.sender}, {words.format_time(m.sent_at)}" for m in messages}
    wanted = list_wanted_fields(case.result_schema) if isinstance(case.result_schema, dict) else ()
    return CasePage(
        case=case,
        status=words.ANSWERED if is_answered else words.describe_status(case.status),
        next_action="" if is_answered else _tell_next_action(case, now),
        attempts=words.describe_attempts(case.attempt_count, case.follow_ups_sent, case.max_attempts),
        question=newest if newest and newest.status == InputRequest.PENDING else None,
        answered=tuple(request for request in requests if request.status == InputRequest.RESOLVED),
        is_answered=is_answered,
        dead_steps=_list_dead_steps(case, events),
        result_words=words.describe_result(case.result_status),
        suppression=_find_suppression(case),
        messages=messages,
        steps=tuple(_show_step(event, requests, sources, now) for event in events),
        deeds=list_deeds(case),
        deliveries=tuple(_show_delivery(delivery) for delivery in list_deliveries(case.id)),
        knowledge=_list_members(case.knowledge, {}),
        knowledge_text=case.knowledge if isinstance(case.knowledge, str) else "",
        result=_list_members(case.result, {field.name: field.label for field in wanted}),
        wanted=wanted,
        result_schema=_format_json(case.result_schema),
        custom_data=_list_members(case.counterparty_custom_data, {}),
        metadata=_format_json(case.metadata),
        webhook_host=urlsplit(case.client_webhook_url).hostname or "",
    )


def _list_dead_steps(case: Case, events: list[CaseEvent]) -> tuple[DeadStep, ...]:
    if case.status not in LIVE_STATUSES:
        return ()
    return tuple(
        describe_dead_step(event, case.counterparty_name) for event in events if event.status == CaseEvent.DEAD
    )


def list_deeds(case: Case) -> tuple[Deed, ...]:
    """Returns what staff did to the case by a button of its page, oldest first."""
    entries = LogEntry.objects.filter(content_type__app_label="cases", content_type__model="case")
    return tuple(
        Deed(entry.get_change_message(), entry.user.get_username(), entry.action_time)
        for entry in entries.filter(object_id=str(case.pk)).select_related("user").order_by("action_time", "pk")
    )


def _tell_next_action(case: Case, now: datetime) -> str:
    return words.describe_next_action(case.status, case.next_action, case.next_action_at, case.get_now(now))


def _find_suppression(case: Case) -> Suppression | None:
    """Returns why the case could not be written to; one query, or two, for a case that failed over its mail."""
    if case.status != Status.FAILED or case.result_status not in _MAIL_FAILURES:
        return None
    row = SuppressedAddress.objects.filter(address=case.counterparty_address.strip().lower()).first()
    if row is None:
        return _find_request_to_stop(case)
    # A report of this case's own mail and the row that it made carry the same moment.
    is_own = ProviderEvent.objects.filter(owner=case.id, matched_at=row.created_at).exists()
    sentence = words.describe_suppression(row.address, row.reason, row.created_at, is_own=is_own)
    return Suppression(sentence, row.pk)


def _find_request_to_stop(case: Case) -> Suppression | None:
    address = case.counterparty_address.strip().lower()
    row = DeclinedAddress.objects.filter(scope=case.client_id, address=address).first()
    if row is None:
        return None
    sentence = words.describe_request_to_stop(address, row.created_at)
    return Suppression(sentence, row.pk, "admin:agentmail_declinedaddress_change")


def _show_messages(case: Case) -> tuple[Message, ...]:
    rows = {(row.message_id, row.attachment_id): row.pk for row in case.attachments.all()}
    return tuple(_show_message(message, case, rows) for message in read_stored_thread(case.id).messages)


def _show_message(message: MailMessage, case: Case, rows: dict[tuple[str, str], int]) -> Message:
    is_ours = message.direction == "outbound"
    fresh, quoted = fold_quoted(message.text)
    return Message(
        message_id=message.message_id,
        is_ours=is_ours,
        sender=case.persona_name if is_ours else message.from_name or message.from_address,
        address=message.from_address,
        sent_at=message.sent_at,
        subject=message.subject,
        fresh=fresh,
        quoted=quoted,
        note=words.describe_mail(message.automatic, message.variant, find_dmarc(message.authentication)),
        files=tuple(
            File(item.filename or "attachment", rows.get((message.message_id, item.attachment_id)))
            for item in message.attachments
        ),
    )


def fold_quoted(text: str) -> tuple[str, str]:
    """Returns (own words, quoted mail); a text beyond the splitter's caps stays whole, because it drops the rest."""
    lines = text.split("\n")
    if len(text) > MAX_CHARS or len(lines) > MAX_LINES or any(len(line) > MAX_LINE_CHARS for line in lines):
        return text.strip(), ""
    fresh, quoted = split_quoted(text)
    return fresh.strip(), quoted.strip("\n")


def _show_step(event: CaseEvent, requests: list[InputRequest], sources: Mapping[str, str], now: datetime) -> Step:
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
        usage=words.describe_usage(run.tokens_in, run.tokens_out, run.cost_usd, run.latency_ms) if run else "",
        evidence=words.describe_evidence(run.decision, sources) if run else (),
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


def _list_members(document: Any, labels: dict[str, str]) -> tuple[Member, ...]:
    """Returns the members of an object, each under its label of `labels` or else its name as words."""
    if not isinstance(document, dict):
        return ()
    # What must not leave stands last, apart from what may.
    members = sorted(document.items(), key=lambda member: member[0] == "private")
    return tuple(
        Member(
            label=labels.get(name) or humanize(name) or name,
            value=value if isinstance(value, str) else _format_json(value),
            is_private=name == "private",
        )
        for name, value in members
    )


def _format_json(document: Any) -> str:
    return "" if document is None else json.dumps(document, indent=2, ensure_ascii=False)
