"""Puts the first page together from its blocks; must not show one to somebody who may not see what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cases.admin.overview import figures
from cases.admin.overview.charts import Chart, Series, draw_bars
from cases.admin.overview.needs import Queue, gather_queues
from cases.models import Case


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One cause of failures; `share` is its part of the most frequent one, in percent."""

    label: str
    count: str
    url: str
    share: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The page. What somebody may not see is empty; `has_cases` is None where they may not know."""

    queues: tuple[Queue, ...]
    has_cases: bool | None = None
    statuses: tuple[figures.Figure, ...] = ()
    due: tuple[figures.Figure, ...] = ()
    reasons: tuple[ReasonRow, ...] = ()
    charts: tuple[Chart, ...] = ()

    @property
    def waiting(self) -> tuple[Queue, ...]:
        return tuple(queue for queue in self.queues if queue.is_waiting)

    @property
    def quiet(self) -> tuple[Queue, ...]:
        return tuple(queue for queue in self.queues if not queue.is_waiting)


def gather_overview(user: Any, now: datetime) -> Overview:
    """Returns the page for a user as of `now` (the real clock); some thirty queries, none of which reads a table to
    its end."""
    waiting = tuple(gather_queues(user, now))
    if not user.has_perm("cases.view_case"):
        return Overview(waiting)
    if not Case.objects.exists():
        return Overview(waiting, has_cases=False)
    return Overview(
        queues=waiting,
        has_cases=True,
        statuses=tuple(figures.count_statuses()),
        due=tuple(figures.count_due(now)),
        reasons=_rank(figures.count_reasons(now)),
        charts=(
            _draw_ended(figures.count_ended(now)),
            _draw_answers(figures.measure_answers(now)),
            _draw_due(figures.count_due_days(now)),
        ),
    )


def _rank(reasons: list[figures.Reason]) -> tuple[ReasonRow, ...]:
    most = max((reason.count for reason in reasons), default=1)
    return tuple(
        ReasonRow(reason.label, f"{reason.count:,}", reason.url, max(1, round(100 * reason.count / most)))
        for reason in reasons
    )


def _draw_ended(days: list[figures.EndedDay]) -> Chart:
    completed, failed = sum(day.completed for day in days), sum(day.failed for day in days)
    return draw_bars(
        "ended",
        "Outcomes",
        f"In the last {len(days)} days: {completed:,} completed, {failed:,} failed.",
        [_name(day.day) for day in days],
        [
            Series("Completed", "good", [day.completed for day in days]),
            Series("Failed", "bad", [day.failed for day in days]),
        ],
    )


def _draw_answers(days: list[figures.AnswerDay]) -> Chart:
    answers = sum(day.answers for day in days)
    medians = [day.median for day in days if day.median is not None]
    size, sign = _choose_unit(max(medians, default=timedelta()))
    said = "1 question was answered" if answers == 1 else f"{answers:,} questions were answered"
    return draw_bars(
        "answers",
        "Time to an answer",
        f"{said} by people in the last {len(days)} days. A bar is the median of its day.",
        [_name(day.day) for day in days],
        [Series("Median", "live", [None if day.median is None else day.median / size for day in days])],
        write=lambda value: f"{value:.3g} {sign}",
        is_whole=False,
    )


def _draw_due(days: list[figures.DueDay]) -> Chart:
    total = sum(day.due for day in days)
    return draw_bars(
        "due",
        "Follow-ups to come",
        f"{total:,} steps fall due within 7 days; what is late counts for today.",
        [_name(day.day) for day in days],
        [Series("Due", "live", [day.due for day in days])],
    )


def _choose_unit(longest: timedelta) -> tuple[timedelta, str]:
    for size, sign in ((timedelta(days=1), "d"), (timedelta(hours=1), "h")):
        if longest >= 2 * size:
            return size, sign
    return timedelta(minutes=1), "min"


def _name(day: date) -> str:
    return f"{day:%-d %b}"
