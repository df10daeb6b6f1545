"""The list of cases and the page of one, where staff answer its question; everything else here only shows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cases import services
from cases.admin import words
from cases.admin.base import CaseAdminBase, NothingMadeHere
from cases.admin.page import gather_page
from cases.models import Case, CaseEvent

ANSWER_PERMISSION = "cases.answer_case"
LONGEST_ANSWER = 20_000
# What only the page of one case needs, and what makes rows wide.
_WIDE_COLUMNS = ("knowledge", "constraints", "result_schema", "metadata", "result", "counterparty_custom_data")


class AnswerForm(forms.Form):
    """A person's answer to the question with the id `question_id`."""

    question_id = forms.CharField(widget=forms.HiddenInput, max_length=64)
    answer = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 5}),
        max_length=LONGEST_ANSWER,
        error_messages={"required": "Write an answer first."},
    )


class NotTaken(Exception):
    """An answer came too late; `sentence` says to whom and what happened."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@admin.register(Case)
class CaseAdmin(NothingMadeHere, CaseAdminBase):
    list_display = ("status_chip", "counterparty", "task", "client", "attempts", "next_step", "opened")
    list_display_links = ("counterparty", "task")
    list_filter = ("status", "client", "created_at")
    list_select_related = ("client",)
    list_per_page = 50
    ordering = ("-created_at", "-id")
    # Named for the search box to appear; get_search_results says how they are compared.
    search_fields = ("id", "client_reference_id", "counterparty_address", "counterparty_name", "objective")
    search_help_text = "A case id, the client's reference, the beginning of an address or name, or words of the task."
    show_full_result_count = False
    actions = None

    def has_change_permission(self, request: HttpRequest, obj: Case | None = None) -> bool:
        return False

    # -- The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        dead = CaseEvent.objects.filter(case=OuterRef("pk"), status=CaseEvent.DEAD)
        return super().get_queryset(request).defer(*_WIDE_COLUMNS).annotate(has_dead_event=Exists(dead))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Case], search_term: str
    ) -> tuple[QuerySet[Case], bool]:
        """Finds a whole id, a whole reference, the beginning of an address or name, or words of the task."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(client_reference_id=term)
        case_id = _read_uuid(term)
        if case_id is not None:
            return queryset.filter(wanted | Q(pk=case_id)), False
        wanted |= Q(counterparty_address__istartswith=term) | Q(counterparty_name__istartswith=term)
        return queryset.filter(wanted | Q(objective__icontains=term)), False

    @admin.display(description="Status", ordering="status")
    def status_chip(self, case: Case) -> SafeString:
        chip = words.describe_status(case.status)
        shown = format_html('<span class="chip chip-{}">{}</span>', chip.tone, chip.text)
        if getattr(case, "has_dead_event", False):
            shown = format_html('{} <span class="chip chip-human">Stuck</span>', shown)
        return shown

    @admin.display(description="Counterparty", ordering="counterparty_name")
    def counterparty(self, case: Case) -> SafeString:
        return format_html(
            '{}<span class="under">{}</span>',
            case.counterparty_name,
            case.counterparty_company or case.counterparty_address,
        )

    @admin.display(description="Task")
    def task(self, case: Case) -> str:
        first_line = (case.objective.strip().splitlines() or [""])[0]
        return first_line if len(first_line) <= 90 else f"{first_line[:89]}…"

    @admin.display(description="Mails", ordering="attempt_count")
    def attempts(self, case: Case) -> int:
        return case.attempt_count

    @admin.display(description="Next (UTC)", ordering="next_action_at")
    def next_step(self, case: Case) -> SafeString:
        what = words.describe_next_action_briefly(case.status, case.next_action)
        when = words.format_time_briefly(case.next_action_at) if case.next_action_at else ""
        return format_html('{}<span class="under">{}</span>', what, when)

    @admin.display(description="Opened (UTC)", ordering="created_at")
    def opened(self, case: Case) -> str:
        return words.format_time_briefly(case.created_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Shows the list under its own name, where Django would ask to select a case."""
        return super().changelist_view(request, {"title": "Cases", **(extra_context or {})})

    # -- The page of one case

    def get_urls(self) -> list[URLPattern]:
        answer = path(
            "<path:object_id>/answer/", self.admin_site.admin_view(self.answer_view), name="cases_case_answer"
        )
        return [answer, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Shows the case; nothing can be changed by the form that Django would show here."""
        case = self._find_case(request, object_id)
        return self._refuse_unknown(request) if case is None else self._show(request, case)

    def answer_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Takes a person's answer; of two at once the first one counts, and the second is told so (409)."""
        case = self._find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        if not request.user.has_perm(ANSWER_PERMISSION):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self._get_url(case))
        form = AnswerForm(request.POST)
        if not form.is_valid():
            return self._show(request, case, form=form, status=400)
        try:
            self._store_answer(request, case, form.cleaned_data["question_id"], form.cleaned_data["answer"])
        except NotTaken as refusal:
            self.message_user(request, refusal.sentence, messages.WARNING)
            case.refresh_from_db()
            return self._show(request, case, lost_answer=form.cleaned_data["answer"], status=409)
        self.message_user(request, "Your answer is stored, and the case goes on with it.", messages.SUCCESS)
        return HttpResponseRedirect(self._get_url(case))

    def _store_answer(self, request: HttpRequest, case: Case, question_id: str, answer: str) -> None:
        """Stores the answer together with its line in the audit log. Raises NotTaken, and then stores neither."""
        try:
            with transaction.atomic():
                services.answer_input_request(
                    case.pk,
                    question_id,
                    answer.strip(),
                    answered_by=request.user.get_username()[:200],
                    now=timezone.now(),
                )
                self.log_change(request, case, "Answered the question.")
        except (services.CaseNotWaiting, services.InputRequestNotPending):
            raise NotTaken(f"Your answer was not stored: {_tell_who_was_first(question_id, case)}") from None
        except services.InputRequestMismatch:
            raise NotTaken("Your answer was not stored: the case has another question by now. Read it below.") from None

    def _show(
        self,
        request: HttpRequest,
        case: Case,
        *,
        form: AnswerForm | None = None,
        lost_answer: str = "",
        status: int = 200,
    ) -> TemplateResponse:
        page = gather_page(case, now=timezone.now())
        if form is None:
            form = AnswerForm(initial={"question_id": page.question.id if page.question else ""})
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{case.counterparty_name}: {self.task(case)}",
            "page": page,
            "form": form,
            "lost_answer": lost_answer,
            "may_answer": request.user.has_perm(ANSWER_PERMISSION),
            "answer_url": reverse("admin:cases_case_answer", args=[case.pk]),
        }
        return TemplateResponse(request, "cases/page/case.html", context, status=status)

    def _find_case(self, request: HttpRequest, object_id: str) -> Case | None:
        case_id = _read_uuid(unquote(object_id))
        case = Case.objects.select_related("client").filter(pk=case_id).first() if case_id else None
        if not self.has_view_permission(request, case):
            raise PermissionDenied
        return case

    def _refuse_unknown(self, request: HttpRequest) -> HttpResponse:
        self.message_user(request, "There is no case with this id.", messages.WARNING)
        return HttpResponseRedirect(reverse("admin:cases_case_changelist"))

    def _get_url(self, case: Case) -> str:
        return reverse("admin:cases_case_change", args=[case.pk])


def _tell_who_was_first(question_id: str, case: Case) -> str:
    question = next((request for request in case.input_requests.all() if str(request.id) == question_id), None)
    if question is not None and question.answered_by and question.resolved_at is not None:
        return f"{question.answered_by} answered first, {words.format_time(question.resolved_at)}."
    return "the case does not wait for an answer any more."


def _read_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
