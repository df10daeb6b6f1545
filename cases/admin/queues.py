"""What waits for a person: cases with an open question and cases that are stuck; must not change anything."""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery

from cases.models import Case, CaseEvent, InputRequest
from cases.workflow import Status

LIVE_STATUSES = tuple(status.value for status in Status if not status.is_terminal)


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
