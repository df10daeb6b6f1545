"""What happened in one case, step by step, for its page; must not change anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.admin.models import LogEntry

from cases.admin import words
from cases.admin.conversation import Source
from cases.admin.words import Chip
from cases.models import AgentRun, Case, CaseEvent, InputRequest
from webhooks.models import Delivery
from webhooks.outcomes import DeliveryState
from webhooks.services import list_deliveries

# So many of the newest steps are shown; the address "?steps=all" shows up to the most.
SHOWN_STEPS = 40
MOST_STEPS = 1_000
_HASH_CHARS = 12


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
    model: str
    prompt: str
    usage: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The newest steps, oldest first; `left_out` counts the ones before them, `is_whole` says that no more is shown."""

    steps: tuple[Step, ...]
    left_out: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody of the staff did to the case, from the audit log."""

    sentence: str
    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST of a webhook; `asked_by` is who asked for it by hand, "" when nobody did."""

    state: Chip
    at: datetime
    status_code: int | None
    error: str
    duration_ms: int | None
    asked_by: str


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One event on its way to the client. The host alone is shown: a URL's path often holds a secret."""

    pk: UUID
    event_type: str
    host: str
    state: Chip
    at: datetime
    next_attempt_at: datetime | None
    is_held: bool
    may_be_resent: bool
    attempts: tuple[Attempt, ...]


def show_timeline(
    case: Case, requests: list[InputRequest], sources: Mapping[str, Source], now: datetime, *, is_whole: bool
) -> Timeline:
    """Returns the newest steps of the case, or all up to MOST_STEPS; two queries."""
    limit = MOST_STEPS if is_whole else SHOWN_STEPS
    events = case.events.select_related("agent_run").order_by("-id")[:limit]
    steps = [_show_step(event, requests, sources, now) for event in reversed(events)]
    left_out = case.events.count() - len(steps) if len(steps) == limit else 0
    return Timeline(tuple(steps), left_out, is_whole)


def list_deeds(case: Case) -> tuple[Deed, ...]:
    """Returns what staff did to the case by a button of its page, oldest first."""
    entries = LogEntry.objects.filter(content_type__app_label="cases", content_type__model="case")
    return tuple(
        Deed(entry.get_change_message(), entry.user.get_username(), entry.action_time)
        for entry in entries.filter(object_id=str(case.pk)).select_related("user").order_by("action_time", "pk")
    )


def show_deliveries(case: Case) -> tuple[WebhookDelivery, ...]:
    """Returns the webhooks of the case with each attempt, oldest first; two queries."""
    return tuple(_show_delivery(delivery) for delivery in list_deliveries(case.id))


def _show_step(event: CaseEvent, requests: list[InputRequest], sources: Mapping[str, Source], now: datetime) -> Step:
    run = getattr(event, "agent_run", None)
    answered_id = str(event.payload.get("input_request_id", ""))
    names = {message_id: source.name for message_id, source in sources.items()}
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
        model=_describe_model(run) if run else "",
        prompt=_describe_prompt(run) if run else "",
        usage=words.describe_usage(run.tokens_in, run.tokens_out, run.cost_usd, run.latency_ms) if run else "",
        evidence=words.describe_evidence(run.decision, names) if run else (),
    )


def _describe_model(run: AgentRun) -> str:
    """Returns who thought: the implementation, the model that answered, and the one asked where that is another."""
    parts = [run.implementation, run.model_answered or run.model_asked]
    if run.model_asked and run.model_answered and run.model_asked.rpartition(":")[2] != run.model_answered:
        parts.append(f"asked for {run.model_asked}")
    return ", ".join(part for part in parts if part)


def _describe_prompt(run: AgentRun) -> str:
    mark = f" ({run.prompt_hash[:_HASH_CHARS]})" if run.prompt_hash else ""
    return f"prompt {run.prompt_version}{mark}" if run.prompt_version else ""


def _show_delivery(delivery: Delivery) -> WebhookDelivery:
    is_held = delivery.held_by_id is not None
    return WebhookDelivery(
        pk=delivery.pk,
        event_type=delivery.event_type,
        host=delivery.url_host,
        state=words.describe_delivery(delivery.state),
        at=delivery.created_at,
        next_attempt_at=None if is_held else delivery.next_attempt_at,
        is_held=is_held,
        may_be_resent=not is_held and delivery.state != DeliveryState.SENDING,
        attempts=tuple(_list_attempts(delivery)),
    )


def _list_attempts(delivery: Delivery) -> Iterable[Attempt]:
    for attempt in delivery.attempts.all():
        yield Attempt(
            state=words.describe_delivery(attempt.outcome),
            at=attempt.started_at,
            status_code=attempt.status_code,
            error=attempt.error,
            duration_ms=attempt.duration_ms,
            asked_by=attempt.asked_by,
        )
