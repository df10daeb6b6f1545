"""What waits for a person: cases with an open question and cases that are stuck; must not change anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery

from cases.admin import words
from cases.models import Case, CaseEvent, InputRequest
from cases.services import GIVE_UP_AFTER
from cases.workflow import Status

LIVE_STATUSES = tuple(status.value for status in Status if not status.is_terminal)


@dataclass(frozen=True, slots=True)
class DeadStep:
    """A step that was given up; unless somebody acts, its case ends at `ends_at` (the real clock)."""

    event_id: int
    case_id: UUID
    counterparty_name: str
    title: str
    reason: str
    died_at: datetime
    ends_at: datetime


def describe_dead_step(event: CaseEvent, counterparty_name: str) -> DeadStep:
    """Returns a dead event as staff read it."""
    died_at = event.finished_at or event.created_at
    return DeadStep(
        event_id=event.pk,
        case_id=event.case_id,
        counterparty_name=counterparty_name,
        title=words.describe_event(event.kind),
        reason=event.last_error,
        died_at=died_at,
        ends_at=died_at + GIVE_UP_AFTER,
    )


def list_dead_steps(limit: int) -> list[DeadStep]:
    """Returns the given-up steps of live cases, the one that ends its case first in front; from the few dead alone."""
    dead = CaseEvent.objects.filter(status=CaseEvent.DEAD, case__status__in=LIVE_STATUSES)
    events = dead.select_related("case").only(
        "kind", "last_error", "created_at", "finished_at", "case_id", "case__counterparty_name"
    )
    return [describe_dead_step(event, event.case.counterparty_name) for event in events.order_by("finished_at")[:limit]]


def annotate_queues(cases: QuerySet[Case]) -> QuerySet[Case]:
    """Adds `waiting_since` (when the open question was asked, None without one) and `is_stuck` to each case.

    Stuck is a case that goes on but had a step given up; a case that has ended needs nobody.
    """
    question = InputRequest.objects.filter(case=OuterRef("pk"), status=InputRequest.PENDING)
    dead = CaseEvent.objects.filter(case=OuterRef("pk"), status=CaseEvent.DEAD, case__status__in=LIVE_STATUSES)
    return cases.annotate(waiting_since=Subquery(question.values("requested_at")[:1]), is_stuck=Exists(dead))


def count_waiting() -> int:
    """Returns how many cases have a question that nobody has answered; read from the few open questions alone."""
    return InputRequest.objects.filter(status=InputRequest.PENDING, case__status=Status.INPUT_NEEDED).count()


def count_stuck() -> int:
    """Returns how many live cases had a step given up; read from the few dead events alone."""
    dead = CaseEvent.objects.filter(status=CaseEvent.DEAD, case__status__in=LIVE_STATUSES)
    return int(dead.aggregate(cases=Count("case", distinct=True))["cases"])
