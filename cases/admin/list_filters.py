"""How the list of cases is narrowed, in the words that staff use; must not know what the list looks like."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from cases.admin import queues, words
from cases.admin.search import read_uuid
from cases.models import Case, Client, InputRequest
from cases.workflow import ResultStatus, Status

# A list of more clients is no help to choose from; the search of clients finds one.
MOST_CLIENTS = 100
# A follow-up is late when two hourly sweeps have passed it by.
LATE_AFTER = timedelta(hours=2)


class StateFilter(admin.SimpleListFilter):
    """The state that a row's chips show. Needs `cases.admin.queues.annotate_queues`."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        states = [(status.value, words.describe_status(status).text) for status in Status]
        return [*states, (queues.STUCK, words.STUCK.text), (queues.PAUSED, words.PAUSED.text)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        """Returns the cases in the chosen state; a state that nobody knows narrows nothing."""
        return queues.choose_state(queryset, self.value() or "")


class ClientFilter(admin.SimpleListFilter):
    title = "client"
    parameter_name = "client"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            (str(pk), name) for pk, name in Client.objects.order_by("name").values_list("pk", "name")[:MOST_CLIENTS]
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        client_id = read_uuid(self.value() or "")
        return queryset if client_id is None else queryset.filter(client_id=client_id)


class OutcomeFilter(admin.SimpleListFilter):
    """How cases ended; the words are those of the case's page."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(outcome.value, words.describe_result(outcome)) for outcome in ResultStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        chosen = self.value()
        return queryset.filter(result_status=chosen) if chosen in list(ResultStatus) else queryset


class _TimeFilter(admin.SimpleListFilter):
    """A choice of spans of time around this moment."""

    spans: dict[str, str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return list(self.spans.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        chosen = self.value()
        return queryset.filter(self.choose(chosen, timezone.now())) if chosen in self.spans else queryset

    def choose(self, span: str, now: datetime) -> Q:
        raise NotImplementedError


class DueFilter(_TimeFilter):
    """When the next step of a running case is due, on the real clock."""

    title = "next step"
    parameter_name = "due"
    spans = {"late": "Late", "day": "Within 24 hours", "week": "Within 7 days"}

    def choose(self, span: str, now: datetime) -> Q:
        match span:
            case "late":
                due = Q(due_at__lt=now - LATE_AFTER, paused_at__isnull=True)
            case "day":
                due = Q(due_at__gte=now, due_at__lt=now + timedelta(days=1))
            case _:
                due = Q(due_at__gte=now, due_at__lt=now + timedelta(days=7))
        return due & Q(status=Status.RUNNING)


class WaitingFilter(_TimeFilter):
    """For how long an open question has stood."""

    title = "waiting"
    parameter_name = "waiting"
    spans = {"1": "Over an hour", "4": "Over 4 hours", "24": "Over a day", "72": "Over 3 days"}

    def choose(self, span: str, now: datetime) -> Q:
        asked = InputRequest.objects.filter(
            status=InputRequest.PENDING, requested_at__lt=now - timedelta(hours=int(span))
        )
        return Q(status=Status.INPUT_NEEDED, pk__in=asked.values("case"))


class OpenedFilter(_TimeFilter):
    title = "opened"
    parameter_name = "opened"
    spans = {"1": "Last 24 hours", "7": "Last 7 days", "30": "Last 30 days", "older": "Before that"}

    def choose(self, span: str, now: datetime) -> Q:
        if span == "older":
            return Q(created_at__lt=now - timedelta(days=30))
        return Q(created_at__gte=now - timedelta(days=int(span)))


class MineFilter(admin.SimpleListFilter):
    """The cases that the person who looks is answering or has acted on."""

    title = "whose"
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("1", "Mine")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        return queues.choose_mine(queryset, request.user) if self.value() == "1" else queryset


def read_state(request: HttpRequest) -> str | None:
    """Returns the state that the list is narrowed to, None without one."""
    return request.GET.get(StateFilter.parameter_name)
