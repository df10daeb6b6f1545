"""The views of the list of cases that everybody starts from; a view is a name for a choice of filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR
from django.http import HttpRequest

from cases.admin import queues
from cases.admin.list_filters import MineFilter, StateFilter
from cases.paging import write_count
from cases.workflow import Status

_STATE, _MINE = StateFilter.parameter_name, MineFilter.parameter_name


@dataclass(frozen=True, slots=True)
class SavedView:
    """One tab; `count` is "" where nobody counts, and `is_loud` says that it asks for a person."""

    label: str
    url: str
    count: str
    is_current: bool
    is_loud: bool


def compose_views(request: HttpRequest, list_url: str) -> list[SavedView]:
    """Returns the tabs, the one with exactly the request's filters current; a search or a page number is no filter."""
    chosen = {name: value for name, value in request.GET.items() if name not in (PAGE_VAR, ORDER_VAR)}
    counts: list[tuple[str, dict[str, str], Callable[[], int] | None, bool]] = [
        ("All", {}, None, False),
        ("Needs an answer", {_STATE: queues.NEEDS_ANSWER}, queues.count_waiting, True),
        ("Stuck", {_STATE: queues.STUCK}, queues.count_stuck, True),
        ("Failed", {_STATE: Status.FAILED.value}, queues.count_failed, False),
        ("Mine", {_MINE: "1"}, lambda: queues.count_mine(request.user), False),
    ]
    views = []
    for label, filters, count, asks in counts:
        number = count() if count else 0
        views.append(
            SavedView(
                label=label,
                url=f"{list_url}?{urlencode(filters)}" if filters else list_url,
                count=write_count(number, queues.VIEW_CAP) if count else "",
                is_current=chosen == filters,
                is_loud=asks and number > 0,
            )
        )
    return views
