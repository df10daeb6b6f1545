"""The page of one case, where staff answer its question; everything else here only shows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from agentmail.viewing import find_mail
from cases import services, teamwork
from cases.admin import words
from cases.admin.actions import list_actions
from cases.admin.actions.step_views import GIVE_UP_PERMISSION, REQUEUE_PERMISSION, StepViews
from cases.admin.actions.views import NOTE_PERMISSION, ActionViews
from cases.admin.case_list import CaseList
from cases.admin.files import NoDownload, fetch_download_url, fetch_original_url
from cases.admin.mail_views import answer_formatted_mail, show_headers
from cases.admin.page import CasePage, View, gather_page
from cases.models import Attachment, Case, InputRequest

ANSWER_PERMISSION = "cases.answer_case"
# The page that asks first is one of the deliveries' own.
RESEND_PERMISSIONS = ("webhooks.view_delivery", "webhooks.resend_delivery")
LONGEST_ANSWER = 20_000
REFRESH_SECONDS = 3


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
class CaseAdmin(ActionViews, StepViews, CaseList):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/answer/", view(self.answer_view), name="cases_case_answer"),
            path("<path:object_id>/answering/", view(self.answering_view), name="cases_case_answering"),
            path("<path:object_id>/attachments/<int:pk>/", view(self.file_view), name="cases_case_file"),
            path("<path:object_id>/mails/<uuid:pk>/<slug:what>/", view(self.mail_view), name="cases_case_mail"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Shows the case; nothing can be changed by the form that Django would show here."""
        case = self.find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        view = View(_read_number(request.GET.get("mails", "")), request.GET.get("steps") == "all")
        page = gather_page(case, now=timezone.now(), view=view, viewer=request.user.get_username())
        response = self._show(request, page)
        if page.is_answered:
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    def answer_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Takes a person's answer; of two at once the first one counts, and the second is told so (409)."""
        case = self.find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        if not request.user.has_perm(ANSWER_PERMISSION):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self._get_url(case))
        form = AnswerForm(request.POST, counterparty_name=case.counterparty_name)
        if not form.is_valid():
            page = gather_page(case, now=timezone.now(), viewer=request.user.get_username())
            return self._show(request, page, form=form, status=400)
        try:
            self._store_answer(request, case, form.cleaned_data["question_id"], form.cleaned_data["answer"])
        except NotTaken as refusal:
            self.message_user(request, refusal.sentence, messages.WARNING)
            case.refresh_from_db()
            page = gather_page(case, now=timezone.now(), viewer=request.user.get_username())
            return self._show(request, page, lost_answer=form.cleaned_data["answer"], status=409)
        self.message_user(request, "Your answer is stored, and the case goes on with it.", messages.SUCCESS)
        return HttpResponseRedirect(self._get_url(case))

    def answering_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Notes, on a POST, that somebody has begun to answer, so that a colleague leaves it to them."""
        case = self.find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        if not request.user.has_perm(ANSWER_PERMISSION):
            raise PermissionDenied
        question = case.input_requests.filter(status=InputRequest.PENDING).first()
        if request.method == "POST" and question is not None:
            teamwork.start_answering(question.pk, by=request.user.get_username(), now=timezone.now())
            self.message_user(request, "Your colleagues see that you are answering, for 15 minutes.", messages.SUCCESS)
        return HttpResponseRedirect(f"{self._get_url(case)}#question")

    def file_view(self, request: HttpRequest, object_id: str, pk: int) -> HttpResponse:
        """Leads to a fresh link to a file of the case, or back to the case with why there is none."""
        case = self.find_case(request, object_id)
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

    def mail_view(self, request: HttpRequest, object_id: str, pk: UUID, what: str) -> HttpResponse:
        """Shows a mail of the case `formatted`, for the frame alone, or its `headers`, or leads to its `original`."""
        case = self.find_case(request, object_id)
        if case is None:
            return self._refuse_unknown(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        mail = find_mail(case.id, pk)
        if mail is None or what not in ("formatted", "headers", "original"):
            self.message_user(request, "This case has no such mail.", messages.WARNING)
            return HttpResponseRedirect(self._get_url(case))
        if what == "formatted":
            return answer_formatted_mail(mail)
        if what == "headers":
            context = {**self.admin_site.each_context(request), "opts": self.opts, "case_url": self._get_url(case)}
            return show_headers(request, case, mail, context)
        try:
            return HttpResponseRedirect(fetch_original_url(mail))
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
        note_url = reverse("admin:cases_case_note", args=[case.pk])
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
            "may_resend": request.user.has_perms(RESEND_PERMISSIONS),
            "answering_url": reverse("admin:cases_case_answering", args=[case.pk]),
            "actions": list_actions(request.user, case),
            "note_url": note_url if request.user.has_perm(NOTE_PERMISSION) else "",
            "may_lift": request.user.has_perm("agentmail.delete_suppressedaddress"),
        }
        return TemplateResponse(request, "cases/page/case.html", context, status=status)

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


def _read_number(text: str) -> int:
    """Returns the page that an address asks for, the first one for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
