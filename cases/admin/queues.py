"""What waits for a person: cases with an open question and cases that are stuck; must not change anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast

from cases.admin import words
from cases.models import Case, CaseEvent, InputRequest
from cases.paging import count_up_to
from cases.services import GIVE_UP_AFTER
from cases.workflow import Status

LIVE_STATUSES = tuple(status.value for status in Status if not status.is_terminal)
NEEDS_ANSWER = Status.INPUT_NEEDED.value
STUCK = "STUCK"
PAUSED = "PAUSED"
# A count beside a saved view stops here.
VIEW_CAP = 100
# Of what somebody has done, the latest deeds make up what is theirs.
LATEST_DEEDS = 200


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


def choose_state(cases: QuerySet[Case], state: str) -> QuerySet[Case]:
    """Returns those of `annotate_queues` that are in a state of the list; a state that nobody knows narrows nothing."""
    if state == STUCK:
        return cases.filter(Q(is_stuck=True))
    if state == PAUSED:
        return cases.filter(paused_at__isnull=False, status__in=LIVE_STATUSES)
    if state == NEEDS_ANSWER:
        # An answered question is nobody's work, though the status stays until the agent has read the answer.
        return cases.filter(status=state, input_requests__status=InputRequest.PENDING)
    return cases.filter(status=state) if state in list(Status) else cases


def choose_mine(cases: QuerySet[Case], user: AbstractBaseUser | AnonymousUser) -> QuerySet[Case]:
    """Returns the cases whose question the person is answering, and those of their latest deeds."""
    deeds = LogEntry.objects.filter(user=user.pk or 0, content_type=ContentType.objects.get_for_model(Case))
    touched = deeds.order_by("-action_time").annotate(case_id=Cast("object_id", Case._meta.pk))
    answering = InputRequest.objects.filter(status=InputRequest.PENDING, answering_by=user.get_username()[:200])
    # Looked up first: the planner does not expect an OR of two queries to be small, and reads every case.
    mine = {*touched.values_list("case_id", flat=True)[:LATEST_DEEDS], *answering.values_list("case_id", flat=True)}
    return cases.filter(pk__in=mine)


def count_waiting() -> int:
    """Returns how many cases have a question that nobody has answered, up to VIEW_CAP + 1."""
    return count_up_to(Case.objects.filter(status=NEEDS_ANSWER, input_requests__status=InputRequest.PENDING), VIEW_CAP)


def count_stuck() -> int:
    """Returns how many live cases had a step given up, up to VIEW_CAP + 1; read from the few dead events alone."""
    dead = CaseEvent.objects.filter(status=CaseEvent.DEAD, case__status__in=LIVE_STATUSES)
    return dead.order_by().values("case").distinct()[: VIEW_CAP + 1].count()


def count_failed() -> int:
    """Returns how many cases failed, up to VIEW_CAP + 1."""
    return count_up_to(Case.objects.filter(status=Status.FAILED), VIEW_CAP)


def count_mine(user: AbstractBaseUser | AnonymousUser) -> int:
    """Returns how many cases are the person's, up to VIEW_CAP + 1."""
    return count_up_to(choose_mine(Case.objects.all(), user), VIEW_CAP)
