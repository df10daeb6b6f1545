"""How the list of cases is narrowed, in the words of its chips; must not know what the list looks like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from cases.admin import words
from cases.models import Case
from cases.workflow import Status

NEEDS_ANSWER = Status.INPUT_NEEDED.value
STUCK = "STUCK"


class StateFilter(admin.SimpleListFilter):
    """The state that a row's chips show. Needs `cases.admin.queues.annotate_queues`."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        states = [(status.value, words.describe_status(status).text) for status in Status]
        return [*states, (STUCK, "Stuck")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        """Returns the cases in the chosen state; a state that nobody knows narrows nothing."""
        chosen = self.value()
        if chosen == STUCK:
            return queryset.filter(Q(is_stuck=True))
        if chosen == NEEDS_ANSWER:
            # An answered question is nobody's work, though the status stays until the agent has read the answer.
            return queryset.filter(Q(waiting_since__isnull=False), status=chosen)
        return queryset.filter(status=chosen) if chosen in list(Status) else queryset


def read_state(request: HttpRequest) -> str | None:
    """Returns the state that the list is narrowed to, None without one."""
    return request.GET.get(StateFilter.parameter_name)
