"""What the evaluations of a case have read, and what has overtaken an event; must not change anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cases.models import AgentRun, Case, CaseEvent
from cases.workflow import EventKind


@dataclass(frozen=True, slots=True)
class Seen:
    """What evaluations that have been applied were shown."""

    message_ids: frozenset[str]
    input_request_ids: frozenset[str]


def list_seen_ids(case_id: UUID, *, with_event: int | None = None) -> Seen:
    """Returns what the case's applied runs have covered; `with_event` counts that event's own run too."""
    runs = AgentRun.objects.filter(case_id=case_id, event__status=CaseEvent.DONE)
    if with_event is not None:
        runs |= AgentRun.objects.filter(event_id=with_event)
    messages: set[str] = set()
    requests: set[str] = set()
    for message_ids, request_ids in runs.values_list("message_ids", "input_request_ids"):
        messages.update(message_ids)
        requests.update(request_ids)
    return Seen(frozenset(messages), frozenset(requests))


def list_answered_ids(case: Case) -> tuple[str, ...]:
    """Returns the questions that have an answer. Read them before the view that covers them, never after."""
    return tuple(str(pk) for pk in case.input_requests.exclude(answer="").values_list("id", flat=True))


def has_later_decision(case_id: UUID, event_id: int) -> bool:
    """Whether an event recorded after this one has been decided: what this one had in mind is out of date."""
    return AgentRun.objects.filter(case_id=case_id, event_id__gt=event_id, event__status=CaseEvent.DONE).exists()


def is_overtaken(event: CaseEvent, case: Case) -> bool:
    """Whether a dead event means nothing any more: it was read, answered or rescheduled by what came after it."""
    seen = list_seen_ids(case.id)
    match event.kind:
        case EventKind.CASE_CREATED:
            return case.attempt_count > 0
        case EventKind.REPLY_RECEIVED:
            return event.payload.get("message_id") in seen.message_ids
        case EventKind.INPUT_PROVIDED:
            return event.payload.get("input_request_id") in seen.input_request_ids
        case EventKind.FOLLOW_UP_DUE | EventKind.RECHECK_DUE:
            scheduled = event.payload.get("scheduled_for")
            return scheduled is None or case.next_action_at != datetime.fromisoformat(scheduled)
    return True
