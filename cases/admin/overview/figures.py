"""How the cases are doing, in numbers of bounded queries; must not read a table to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.db.models import Count
from django.urls import reverse

from cases.admin import words
from cases.admin.list_filters import LATE_AFTER, DueFilter, OutcomeFilter, StateFilter
from cases.models import Case
from cases.paging import count_up_to, write_count
from cases.workflow import Status

# Counted to the row up to here; beyond it the planner's own statistics are near enough.
COUNT_CAP = 10_000
DAYS = 14


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with a name, a tone (see words.Chip) and the list behind it."""

    label: str
    number: str
    url: str
    tone: str = "quiet"


@dataclass(frozen=True, slots=True)
class Reason:
    label: str
    count: int
    url: str


@dataclass(frozen=True, slots=True)
class EndedDay:
    """What ended on one day (UTC)."""

    day: date
    completed: int
    failed: int


@dataclass(frozen=True, slots=True)
class AnswerDay:
    """How long people took on one day (UTC); the times are None on a day without an answer."""

    day: date
    answers: int
    median: timedelta | None
    slowest: timedelta | None


@dataclass(frozen=True, slots=True)
class DueDay:
    day: date
    due: int


def count_statuses() -> list[Figure]:
    """Returns a figure for each status, exact up to COUNT_CAP and rounded beyond it."""
    return [
        Figure(
            label=chip.text,
            number=_count_status(status),
            url=_list_url(StateFilter.parameter_name, status.value),
            tone=chip.tone,
        )
        for status in Status
        for chip in [words.describe_status(status)]
    ]


def _count_status(status: Status) -> str:
    counted = count_up_to(Case.objects.filter(status=status), COUNT_CAP)
    if counted <= COUNT_CAP:
        return f"{counted:,}"
    estimate = _estimate_status(status)
    return write_count(counted, COUNT_CAP) if estimate <= COUNT_CAP else f"≈ {round(estimate, -3):,}"


def _estimate_status(status: Status) -> int:
    """Returns how many the statistics say there are, 0 when they say nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples * most_common_freqs[array_position(most_common_vals::text::text[], %s::text)]"
            "  FROM pg_stats JOIN pg_class ON relname = tablename AND relnamespace = schemaname::regnamespace"
            " WHERE tablename = %s AND attname = 'status'",
            [status.value, Case._meta.db_table],
        )
        found = cursor.fetchone()
    return int(found[0]) if found and found[0] else 0


def count_due(now: datetime) -> list[Figure]:
    """Returns what is late and what comes, from the index of due cases; a paused case is neither."""
    running = Case.objects.filter(status=Status.RUNNING, paused_at__isnull=True)
    spans = (
        ("Late", "late", running.filter(due_at__lt=now - LATE_AFTER), "human"),
        ("Within 24 hours", "day", running.filter(due_at__gte=now, due_at__lt=now + timedelta(days=1)), "live"),
        ("Within 7 days", "week", running.filter(due_at__gte=now, due_at__lt=now + timedelta(days=7)), "live"),
    )
    figures = []
    for label, value, cases, tone in spans:
        count = count_up_to(cases, COUNT_CAP)
        url = _list_url(DueFilter.parameter_name, value)
        figures.append(Figure(label, write_count(count, COUNT_CAP), url, tone if count else "quiet"))
    return figures


def count_ended(now: datetime) -> list[EndedDay]:
    """Returns what ended on each of the last DAYS days, the oldest first; read from `case_ended` alone.

    A case ended when it was last changed. In the sandbox that can lie ahead of the clock; it counts for today.
    """
    days = _list_days(now)
    counts = {(day, status): 0 for day in days for status in (Status.COMPLETED, Status.FAILED)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least(updated_at AT TIME ZONE 'UTC', %s AT TIME ZONE 'UTC')::date, status, count(*)"
            "  FROM cases_case WHERE status IN ('COMPLETED', 'FAILED') AND updated_at >= %s GROUP BY 1, 2",
            [now, datetime.combine(days[0], datetime.min.time(), tzinfo=now.tzinfo)],
        )
        for day, status, count in cursor.fetchall():
            counts[day, Status(status)] = count
    return [EndedDay(day, counts[day, Status.COMPLETED], counts[day, Status.FAILED]) for day in days]


def count_reasons(now: datetime) -> list[Reason]:
    """Returns why cases failed in the last DAYS days, the most frequent first; read from `case_ended` alone."""
    since = datetime.combine(_list_days(now)[0], datetime.min.time(), tzinfo=now.tzinfo)
    failed = Case.objects.filter(status=Status.FAILED, updated_at__gte=since).order_by()
    rows = failed.values("result_status").annotate(cases=Count("pk")).order_by("-cases", "result_status")
    return [
        Reason(
            words.describe_result(row["result_status"]),
            row["cases"],
            _list_url(OutcomeFilter.parameter_name, row["result_status"]),
        )
        for row in rows
    ]


def measure_answers(now: datetime) -> list[AnswerDay]:
    """Returns how long people took to answer on each of the last DAYS days, from `input_request_answered` alone."""
    days = _list_days(now)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least(resolved_at AT TIME ZONE 'UTC', %s AT TIME ZONE 'UTC')::date, count(*),"
            "       percentile_cont(0.5) WITHIN GROUP (ORDER BY resolved_at - requested_at),"
            "       max(resolved_at - requested_at)"
            "  FROM cases_inputrequest WHERE status = 'RESOLVED' AND answer <> '' AND resolved_at >= %s GROUP BY 1",
            [now, datetime.combine(days[0], datetime.min.time(), tzinfo=now.tzinfo)],
        )
        found = {day: AnswerDay(day, count, median, slowest) for day, count, median, slowest in cursor.fetchall()}
    return [found.get(day, AnswerDay(day, 0, None, None)) for day in days]


def count_due_days(now: datetime) -> list[DueDay]:
    """Returns how many steps fall due on each of the seven days from today on; what is late counts for today."""
    days = [now.date() + timedelta(days=offset) for offset in range(7)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest(due_at AT TIME ZONE 'UTC', %s AT TIME ZONE 'UTC')::date, count(*) FROM cases_case"
            " WHERE status = 'RUNNING' AND due_at < %s AND paused_at IS NULL GROUP BY 1",
            [now, datetime.combine(days[-1] + timedelta(days=1), datetime.min.time(), tzinfo=now.tzinfo)],
        )
        found = dict(cursor.fetchall())
    return [DueDay(day, found.get(day, 0)) for day in days]


def _list_days(now: datetime) -> list[date]:
    return [now.date() - timedelta(days=offset) for offset in reversed(range(DAYS))]


def _list_url(name: str, value: Any) -> str:
    return f"{reverse('admin:cases_case_changelist')}?{urlencode({name: value})}"
