"""Moves a case's clock on, for the sandbox only; must not be reachable where the sandbox is off."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from cases.follow_ups import record_due_events
from cases.models import Case, CaseEvent
from cases.nudge import nudge_on_commit
from cases.workflow import Status

LIVE = (Status.CREATED, Status.RUNNING, Status.INPUT_NEEDED)


def advance_clocks(span: timedelta, case_id: UUID | None, now: datetime) -> list[UUID]:
    """Adds `span` to the clock of one live case, or of all, and queues what is due by then; `now` is the real clock.

    Returns the cases whose clock moved; a case that has ended, or that is not there, is not among them. What waits
    for a retry is tried at once, as it would have been in that time. Every call moves the clocks again.
    """
    with transaction.atomic():
        cases = Case.objects.select_for_update(no_key=True).filter(status__in=LIVE).order_by("id")
        if case_id is not None:
            cases = cases.filter(pk=case_id)
        moved = list(cases.only("id", "clock_offset", "clock_moves", "next_action_at", "due_at"))
        for case in moved:
            case.clock_offset += span
            case.clock_moves.append([now.isoformat(), span.total_seconds()])
            case.due_at = case.next_action_at - case.clock_offset if case.next_action_at else None
        Case.objects.bulk_update(moved, ["clock_offset", "clock_moves", "due_at"], batch_size=500)
        ids = [case.id for case in moved]
        CaseEvent.objects.filter(case_id__in=ids, status=CaseEvent.READY, run_after__gt=now).update(run_after=now)
    for due in (*record_due_events(now, waits_for_locks=True), *ids):
        nudge_on_commit(due)
    return ids
