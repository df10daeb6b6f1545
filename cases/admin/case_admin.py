"""The list of cases and the page of one, where staff answer its question; everything else here only shows."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from cases import services
from cases.admin import queues, words
from cases.admin.base import CaseAdminBase, NothingMadeHere
from cases.admin.files import NoDownload, fetch_download_url
from cases.admin.list_filters import NEEDS_ANSWER, STUCK, StateFilter, read_state
from cases.admin.page import CasePage, gather_page, list_deeds
from cases.models import Attachment, Case, CaseEvent
from cases.workflow import Status

ANSWER_PERMISSION = "cases.answer_case"
REQUEUE_PERMISSION = "cases.requeue_event"
GIVE_UP_PERMISSION = "cases.give_up_event"
# So many given-up steps stand on the overview; the list of stuck cases has them all.
SHOWN_DEAD_STEPS = 5
LONGEST_ANSWER = 20_000
REFRESH_SECONDS = 3
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

    def __init__(self, *args: Any, counterparty_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["answer"].help_text = words.describe_readers(counterparty_name)


class NotTaken(Exception):
    """An answer came too late; `sentence` says to whom and what happened."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@admin.register(Case)
class CaseAdmin(NothingMadeHere, CaseAdminBase):
    list_display = ("status_chip", "counterparty", "task", "client", "attempts", "next_step", "opened")
    list_display_links = ("counterparty", "task")
    list_filter = (StateFilter, "client", "created_at")
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

    def get_site_context(self, request: HttpRequest) -> dict[str, Any]:
        """Returns how many cases wait for a person, for every page; nothing for who may not see cases."""
        if not self.has_view_permission(request):
            return {}
        list_url = reverse("admin:cases_case_changelist")
        return {
            "waiting_count": queues.count_waiting(),
            "stuck_count": queues.count_stuck(),
            # Called by the overview's template alone.
            "list_dead_steps": partial(queues.list_dead_steps, SHOWN_DEAD_STEPS),
            "cases_url": list_url,
            "waiting_url": f"{list_url}?{StateFilter.parameter_name}={NEEDS_ANSWER}",
            "stuck_url": f"{list_url}?{StateFilter.parameter_name}={STUCK}",
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        # Not the inherited one: that orders before there is anything to order the waiting by.
        return queues.annotate_queues(Case.objects.defer(*_WIDE_COLUMNS)).order_by(*self.get_ordering(request))

    def get_ordering(self, request: HttpRequest) -> tuple[str | Combinable, ...]:
        """Returns who waits longest first where people wait, else the newest case first."""
        return ("waiting_since", "id") if read_state(request) == NEEDS_ANSWER else self.ordering

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
        is_answered = case.status == Status.INPUT_NEEDED and getattr(case, "waiting_since", None) is None
        chip = words.ANSWERED if is_answered else words.describe_status(case.status)
        shown = format_html('<span class="chip chip-{}">{}</span>', chip.tone, chip.text)
        if getattr(case, "is_stuck", False):
            shown = format_html('{} <span class="chip chip-human">Stuck</span>', shown)
        return shown

    @admin.display(description="Counterparty", ordering="counterparty_name")
    def counterparty(self, case: Case) -> SafeString:
        lines = [line for line in (case.counterparty_company, case.counterparty_address) if line]
        under = format_html_join("", '<span class="under">{}</span>', ((line,) for line in lines))
        return format_html("{}{}", case.counterparty_name, under)

    @admin.display(description="Task")
    def task(self, case: Case) -> str:
        first_line = (case.objective.strip().splitlines() or [""])[0]
        return first_line if len(first_line) <= 90 else f"{first_line[:89]}…"

    @admin.display(description="Mails", ordering="attempt_count")
    def attempts(self, case: Case) -> int:
        return case.attempt_count

    @admin.display(description="Next (UTC)", ordering="next_action_at")
    def next_step(self, case: Case) -> SafeString:
        waiting_since = getattr(case, "waiting_since", None)
        if case.status == Status.INPUT_NEEDED and waiting_since is not None:
            return format_html(
                '{}<span class="under">since {}</span>', "An answer", words.format_time_briefly(waiting_since)
            )
        what = words.describe_next_action_briefly(case.status, case.next_action)
        when = words.format_time_briefly(case.next_action_at) if case.next_action_at else ""
        return format_html('{}<span class="under">{}</span>', what, when)

    @admin.display(description="Opened (UTC)", ordering="created_at")
    def opened(self, case: Case) -> str:
        return words.format_time_briefly(case.created_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Shows the list, with words of its own where it is empty."""
        is_plain = set(request.GET) <= {StateFilter.parameter_name}
        nothing = words.describe_empty_list(read_state(request) if is_plain else None)
        return super().changelist_view(request, {"nothing_found": nothing, **(extra_context or {})})

    # -- The page of one case

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/answer/", view(self.answer_view), name="cases_case_answer"),
            path("<path:object_id>/steps/<int:pk>/requeue/", view(self.requeue_view), name="cases_case_requeue"),
            path("<path:object_id>/steps/<int:pk>/give-up/", view(self.give_up_view), name="cases_case_give_up"),
            path("<path:object_id>/attachments/<int:pk>/", view(self.file_view), name="cases_case_file"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Shows the case; nothing can be changed by the form that Django would show here."""
        case = self._find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        page = gather_page(case, now=timezone.now())
        response = self._show(request, page)
        if page.is_answered:
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    def answer_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Takes a person's answer; of two at once the first one counts, and the second is told so (409)."""
        case = self._find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        if not request.user.has_perm(ANSWER_PERMISSION):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self._get_url(case))
        form = AnswerForm(request.POST, counterparty_name=case.counterparty_name)
        if not form.is_valid():
            return self._show(request, gather_page(case, now=timezone.now()), form=form, status=400)
        try:
            self._store_answer(request, case, form.cleaned_data["question_id"], form.cleaned_data["answer"])
        except NotTaken as refusal:
            self.message_user(request, refusal.sentence, messages.WARNING)
            case.refresh_from_db()
            page = gather_page(case, now=timezone.now())
            return self._show(request, page, lost_answer=form.cleaned_data["answer"], status=409)
        self.message_user(request, "Your answer is stored, and the case goes on with it.", messages.SUCCESS)
        return HttpResponseRedirect(self._get_url(case))

    def requeue_view(self, request: HttpRequest, object_id: str, pk: int) -> HttpResponse:
        """Puts a given-up step back in its case's line; of two people at once the second is told who was first."""
        case = self._find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        if not request.user.has_perm(REQUEUE_PERMISSION):
            raise PermissionDenied
        event = _find_event(case, pk)
        if request.method == "POST" and event is not None:
            with transaction.atomic():
                is_done = services.requeue_event(event.pk)
                if is_done:
                    self.log_change(request, case, words.tell_requeued(words.describe_event(event.kind)))
            if is_done:
                self.message_user(request, "The step is put back; a worker takes it up now.", messages.SUCCESS)
            else:
                self.message_user(request, f"Nothing was put back: {_tell_last_deed(case)}", messages.WARNING)
        return HttpResponseRedirect(self._get_url(case))

    def give_up_view(self, request: HttpRequest, object_id: str, pk: int) -> HttpResponse:
        """Asks whether the case shall end over a given-up step, and ends it on a POST."""
        case = self._find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        if not request.user.has_perm(GIVE_UP_PERMISSION):
            raise PermissionDenied
        event = _find_event(case, pk)
        if event is None:
            return HttpResponseRedirect(self._get_url(case))
        if request.method != "POST" and event.status == CaseEvent.DEAD and not Status(case.status).is_terminal:
            return self._ask_to_give_up(request, case, event)
        if request.method != "POST":
            self.message_user(request, f"There is nothing to end: {_tell_last_deed(case)}", messages.WARNING)
            return HttpResponseRedirect(self._get_url(case))
        with transaction.atomic():
            by = request.user.get_username()[:200]
            is_done = services.give_up_event(event.pk, by=by, now=timezone.now())
            if is_done:
                self.log_change(request, case, words.tell_given_up(words.describe_event(event.kind)))
        if is_done:
            self.message_user(request, "The case has ended, and its client is told.", messages.SUCCESS)
        else:
            self.message_user(request, f"The case was not ended: {_tell_last_deed(case)}", messages.WARNING)
        return HttpResponseRedirect(self._get_url(case))

    def _ask_to_give_up(self, request: HttpRequest, case: Case, event: CaseEvent) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "End the case?",
            "case": case,
            "step": queues.describe_dead_step(event, case.counterparty_name),
            "case_url": self._get_url(case),
        }
        return TemplateResponse(request, "cases/page/give_up.html", context)

    def file_view(self, request: HttpRequest, object_id: str, pk: int) -> HttpResponse:
        """Leads to a fresh link to a file of the case, or back to the case with why there is none."""
        case = self._find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        # A number beyond the column's range is no id, and an error to the database.
        attachment = Attachment.objects.filter(case=case, pk=pk).first() if pk < 2**63 else None
        if attachment is None:
            self.message_user(request, "This case has no such file.", messages.WARNING)
            return HttpResponseRedirect(self._get_url(case))
        try:
            return HttpResponseRedirect(fetch_download_url(attachment))
        except NoDownload as failure:
            self.message_user(request, failure.sentence, messages.WARNING)
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
        page: CasePage,
        *,
        form: AnswerForm | None = None,
        lost_answer: str = "",
        status: int = 200,
    ) -> TemplateResponse:
        case = page.case
        if form is None:
            initial = {"question_id": page.question.id if page.question else ""}
            form = AnswerForm(initial=initial, counterparty_name=case.counterparty_name)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{case.counterparty_name}: {self.task(case)}",
            "page": page,
            "form": form,
            "lost_answer": lost_answer,
            "may_answer": request.user.has_perm(ANSWER_PERMISSION),
            "answer_url": reverse("admin:cases_case_answer", args=[case.pk]),
            "may_requeue": request.user.has_perm(REQUEUE_PERMISSION),
            "may_give_up": request.user.has_perm(GIVE_UP_PERMISSION),
            "may_lift": request.user.is_active and request.user.is_superuser,
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


def _find_event(case: Case, pk: int) -> CaseEvent | None:
    # A number beyond the column's range is no id, and an error to the database.
    return CaseEvent.objects.filter(case=case, pk=pk).first() if pk < 2**63 else None


def _tell_last_deed(case: Case) -> str:
    """Returns who was faster, or what else keeps a given-up step from being acted on."""
    deeds = list_deeds(case)
    if deeds:
        last = deeds[-1]
        return f"{last.who} was first, {words.format_time(last.at)}. {last.sentence}"
    return "the step is not given up any more, or the case has ended."


def _read_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
