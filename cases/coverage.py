"""What the evaluations of a case have read, and what has overtaken an event; must not change anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from agentmail.rows import Rows
from cases.models import Case, CaseEvent, InputRequest
from cases.workflow import EventKind

_REQUESTS = Rows(InputRequest)


@dataclass(frozen=True, slots=True)
class Seen:
    """What evaluations that have been applied were shown."""

    message_ids: frozenset[str]
    input_request_ids: frozenset[str]


def list_seen_ids(case_id: UUID, *, with_event: int | None = None) -> Seen:
    """Returns what the case's applied runs have covered; `with_event` counts that event's own run too."""
    with connection.cursor() as cursor:
        cursor.execute(_LIST_SEEN, {"case": case_id, "event": with_event})
        messages, requests = cursor.fetchone()
    return Seen(frozenset(messages), frozenset(requests))


_LIST_SEEN = """
    WITH seen AS (
        SELECT run.message_ids, run.input_request_ids
          FROM cases_agentrun run JOIN cases_caseevent event ON event.id = run.event_id
         WHERE run.case_id = %(case)s AND (event.status = 'done' OR event.id = %(event)s))
    SELECT ARRAY(SELECT jsonb_array_elements_text(message_ids) FROM seen),
           ARRAY(SELECT jsonb_array_elements_text(input_request_ids) FROM seen)
"""


def list_requests(case: Case) -> list[InputRequest]:
    """Returns the case's questions, oldest first.

    Read them once for a view and for what it has covered: an answer that comes in between belongs to its own event.
    """
    return _REQUESTS.find("case_id = %(case)s ORDER BY requested_at, id", {"case": case.id})


def list_answered_ids(requests: Sequence[InputRequest]) -> tuple[str, ...]:
    """Returns the questions that have an answer."""
    return tuple(str(request.id) for request in requests if request.answer)


def has_later_decision(case_id: UUID, event_id: int) -> bool:
    """Whether an event recorded after this one has been decided: what this one had in mind is out of date."""
    with connection.cursor() as cursor:
        cursor.execute(_HAS_LATER_DECISION, {"case": case_id, "event": event_id})
        return bool(cursor.fetchone()[0])


_HAS_LATER_DECISION = """
    SELECT EXISTS (SELECT 1 FROM cases_agentrun run JOIN cases_caseevent event ON event.id = run.event_id
                    WHERE run.case_id = %(case)s AND event.id > %(event)s AND event.status = 'done')
"""


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
