"""The list of cases: its columns, saved views, filters and search; must not know the page of one case."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from cases.admin import navigation, queues, search, words
from cases.admin.base import CaseAdminBase, NothingMadeHere
from cases.admin.list_filters import (
    ClientFilter,
    DueFilter,
    MineFilter,
    OpenedFilter,
    OutcomeFilter,
    StateFilter,
    WaitingFilter,
    read_state,
)
from cases.admin.overview.gathering import gather_overview
from cases.admin.saved_views import compose_views
from cases.models import Case
from cases.workflow import Status

# What a row shows: a case is wide, and its documents are long.
_COLUMNS = (
    "client__name",
    "objective",
    "counterparty_name",
    "counterparty_address",
    "counterparty_company",
    "status",
    "attempt_count",
    "next_action",
    "next_action_at",
    "result_status",
    "paused_at",
    "created_at",
    "updated_at",
)
LONGEST_TASK = 90


class CaseList(NothingMadeHere, CaseAdminBase):
    """What Django's list of cases is made of; `CaseAdmin` adds the page of one."""

    list_display = ("status_chip", "counterparty", "task", "client", "attempts", "next_step", "opened")
    list_display_links = ("counterparty", "task")
    list_filter = (StateFilter, ClientFilter, OutcomeFilter, DueFilter, WaitingFilter, OpenedFilter, MineFilter)
    list_select_related = ("client",)
    list_per_page = 50
    list_max_show_all = 0
    # Any other column would sort every case there is.
    sortable_by = ("opened",)
    ordering = ("-created_at", "-id")
    # Named for the search box to appear; get_search_results says how they are compared.
    search_fields = ("id", "client_reference_id", "counterparty_address", "counterparty_name", "objective")
    search_help_text = search.HELP
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = None

    def has_change_permission(self, request: HttpRequest, obj: Case | None = None) -> bool:
        return False

    def get_site_context(self, request: HttpRequest) -> dict[str, Any]:
        """Returns the entries at the head of every page."""
        return {"main_nav": navigation.compose_nav(request)}

    def get_overview(self, request: HttpRequest) -> dict[str, Any]:
        """Returns what the first page shows to this user."""
        return {"overview": gather_overview(request.user, timezone.now())}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        # Not the inherited one: that orders before there is anything to order the waiting by.
        return queues.annotate_queues(Case.objects.select_related("client").only(*_COLUMNS)).order_by(
            *self.get_ordering(request)
        )

    def get_ordering(self, request: HttpRequest) -> tuple[str | Combinable, ...]:
        """Returns who waits longest first where people wait, the latest failure first where cases failed, else the
        newest case first."""
        match read_state(request):
            case queues.NEEDS_ANSWER:
                return ("waiting_since", "id")
            case Status.FAILED:
                return ("-updated_at", "-id")
        return self.ordering

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Case], search_term: str
    ) -> tuple[QuerySet[Case], bool]:
        """Finds a whole id, a whole reference, the beginning of an address or name, or words of the task."""
        found, is_partial = search.find_cases(queryset, search_term)
        if is_partial:
            self.message_user(request, words.TOO_MANY_FINDS, messages.INFO)
        return found, False

    @admin.display(description="Status")
    def status_chip(self, case: Case) -> SafeString:
        is_answered = case.status == Status.INPUT_NEEDED and getattr(case, "waiting_since", None) is None
        chips = [words.ANSWERED if is_answered else words.describe_status(case.status)]
        if getattr(case, "is_stuck", False):
            chips.append(words.STUCK)
        if case.paused_at is not None and not Status(case.status).is_terminal:
            chips.append(words.PAUSED)
        return format_html_join(" ", '<span class="chip chip-{}">{}</span>', ((chip.tone, chip.text) for chip in chips))

    @admin.display(description="Counterparty")
    def counterparty(self, case: Case) -> SafeString:
        lines = [line for line in (case.counterparty_company, case.counterparty_address) if line]
        under = format_html_join("", '<span class="under">{}</span>', ((line,) for line in lines))
        return format_html("{}{}", case.counterparty_name, under)

    @admin.display(description="Task")
    def task(self, case: Case) -> str:
        first_line = (case.objective.strip().splitlines() or [""])[0]
        return first_line if len(first_line) <= LONGEST_TASK else f"{first_line[: LONGEST_TASK - 1]}…"

    @admin.display(description="Mails")
    def attempts(self, case: Case) -> int:
        return case.attempt_count

    @admin.display(description="Next (UTC)")
    def next_step(self, case: Case) -> SafeString:
        """Returns what a case waits for and since or until when; how it ended once it has."""
        waiting_since = getattr(case, "waiting_since", None)
        if case.status == Status.INPUT_NEEDED and waiting_since is not None:
            return format_html(
                '{}<span class="under">since {}</span>', "An answer", words.format_time_briefly(waiting_since)
            )
        if case.result_status:
            ended = words.format_time_briefly(case.updated_at)
            return format_html('{}<span class="under">{}</span>', words.describe_result(case.result_status), ended)
        what = words.describe_next_action_briefly(case.status, case.next_action)
        when = words.format_time_briefly(case.next_action_at) if case.next_action_at else ""
        return format_html('{}<span class="under">{}</span>', what, when)

    @admin.display(description="Opened (UTC)", ordering="created_at")
    def opened(self, case: Case) -> str:
        return words.format_time_briefly(case.created_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Shows the list under its saved views, with words of its own where it is empty."""
        is_plain = set(request.GET) <= {StateFilter.parameter_name, MineFilter.parameter_name}
        state = read_state(request) or (words.MINE if MineFilter.parameter_name in request.GET else None)
        context = {
            "views": compose_views(request, reverse("admin:cases_case_changelist")),
            "nothing_found": words.describe_empty_list(state if is_plain else words.NARROWED),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})
