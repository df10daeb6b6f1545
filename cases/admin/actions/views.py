"""The pages of the actions on a case: GET asks and says what will happen, POST does it, logs it and says so.

Must not hold a rule: whether a case allows an action, the services decide under its lock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from cases import interventions, teamwork
from cases.admin.actions import catalogue
from cases.admin.actions.catalogue import ACTIONS, Action
from cases.admin.actions.forms import ActionForm, make_initial
from cases.admin.base import CaseAdminBase
from cases.admin.search import read_uuid
from cases.closing import BadResult
from cases.interventions import NotPossible
from cases.models import Case

NOTE_PERMISSION = "cases.add_casenote"

# Does the action and returns what the audit log says of it, or "" when the same had been done already.
Perform = Callable[[Case, dict[str, Any], str, datetime], str]


def _pause(case: Case, _typed: dict[str, Any], by: str, now: datetime) -> str:
    return "Paused the case." if interventions.pause_case(case.pk, by=by, now=now) else ""


def _resume(case: Case, _typed: dict[str, Any], by: str, now: datetime) -> str:
    return "Resumed the case." if interventions.resume_case(case.pk, by=by, now=now) else ""


def _send_follow_up(case: Case, typed: dict[str, Any], by: str, now: datetime) -> str:
    is_new = interventions.send_follow_up_now(case.pk, seen_event_id=typed["seen_event_id"], by=by, now=now)
    return "Had the next follow-up sent at once." if is_new else ""


def _reevaluate(case: Case, typed: dict[str, Any], by: str, now: datetime) -> str:
    is_new = interventions.reevaluate_last_reply(case.pk, seen_event_id=typed["seen_event_id"], by=by, now=now)
    return "Had the last reply evaluated again." if is_new else ""


def _complete(case: Case, typed: dict[str, Any], by: str, now: datetime) -> str:
    interventions.close_with_result(case.pk, typed["result"], by=by, now=now)
    return "Closed the case with a result."


def _fail(case: Case, typed: dict[str, Any], by: str, now: datetime) -> str:
    interventions.close_as_failed(case.pk, typed["reason"], by=by, now=now)
    return f"Closed the case as failed: {typed['reason']}"


def _cancel(case: Case, _typed: dict[str, Any], by: str, now: datetime) -> str:
    interventions.cancel_by_hand(case.pk, by=by, now=now)
    return "Cancelled the case."


PERFORM: dict[str, Perform] = {
    catalogue.PAUSE.name: _pause,
    catalogue.RESUME.name: _resume,
    catalogue.FOLLOW_UP.name: _send_follow_up,
    catalogue.REEVALUATE.name: _reevaluate,
    catalogue.COMPLETE.name: _complete,
    catalogue.FAIL.name: _fail,
    catalogue.CANCEL.name: _cancel,
}
_BY_NAME = {action.name: action for action in ACTIONS}


class ActionViews(CaseAdminBase):
    """What the admin of cases gains: one address for each action, and one for notes."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/actions/<slug:name>/", view(self.action_view), name="cases_case_action"),
            path("<path:object_id>/note/", view(self.note_view), name="cases_case_note"),
            *super().get_urls(),
        ]

    def action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Asks on a GET and acts on a POST; 403 without the permission, 400 for what cannot be read.

        Whatever does not happen leaves no trace; the person is told why and sees the case as it stands.
        """
        action = _BY_NAME.get(name)
        case = self.find_case(request, object_id)
        if action is not None and not request.user.has_perm(action.permission):
            raise PermissionDenied
        if case is None or action is None:
            self.message_user(request, "There is no such case or action.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:cases_case_changelist"))
        if request.method != "POST":
            return self._ask(request, case, action)
        form = action.form(request.POST)
        if not form.is_valid():
            return self._show_action(request, case, action, form, 400)
        return self._act(request, case, action, form)

    def _ask(self, request: HttpRequest, case: Case, action: Action) -> HttpResponse:
        refusal = action.refuse(interventions.look_at(case))
        if refusal:
            return self._go_back(request, case, f"“{action.label}” is not possible: {refusal}", messages.WARNING)
        form = action.form(initial=make_initial(case, interventions.get_latest_event_id(case)))
        return self._show_action(request, case, action, form, 200)

    def _act(self, request: HttpRequest, case: Case, action: Action, form: ActionForm) -> HttpResponse:
        by = request.user.get_username()[:200]
        try:
            with transaction.atomic():
                deed = PERFORM[action.name](case, form.cleaned_data, by, timezone.now())
                if deed:
                    self.log_change(request, case, deed)
        except NotPossible as refusal:
            return self._go_back(request, case, f"Nothing was done: {refusal.sentence}", messages.WARNING)
        except BadResult as bad:
            for fault in bad.faults:
                form.add_error("result", fault)
            return self._show_action(request, case, action, form, 400)
        if not deed:
            return self._go_back(request, case, "That had been done already.", messages.INFO)
        return self._go_back(request, case, action.done, messages.SUCCESS)

    def _show_action(
        self, request: HttpRequest, case: Case, action: Action, form: ActionForm, status: int
    ) -> TemplateResponse:
        who = case.counterparty_name
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": action.question,
            "action": action,
            "will": [sentence.format(who=who) for sentence in action.will],
            "will_not": [sentence.format(who=who) for sentence in action.will_not],
            "case": case,
            "case_url": reverse("admin:cases_case_change", args=[case.pk]),
            "form": form,
            "schema": _format(case.result_schema) if "result" in form.fields else "",
        }
        return TemplateResponse(request, "cases/actions/confirm.html", context, status=status)

    def note_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Adds a note of staff on a POST; the same words sent twice are one note."""
        case = self.find_case(request, object_id)
        if not request.user.has_perm(NOTE_PERMISSION):
            raise PermissionDenied
        if case is None or request.method != "POST":
            return HttpResponseRedirect(reverse("admin:cases_case_changelist") if case is None else _get_url(case))
        now, author = timezone.now(), request.user.get_username()
        try:
            with transaction.atomic():
                note = teamwork.add_note(case.pk, request.POST.get("body", ""), author=author, now=now)
                if note.created_at == now:
                    self.log_change(request, case, "Added a note.")
        except teamwork.EmptyNote as refusal:
            return self._go_back(request, case, f"The note was not stored: {refusal}", messages.WARNING)
        return self._go_back(request, case, "The note is stored. Only staff see it.", messages.SUCCESS)

    def find_case(self, request: HttpRequest, object_id: str) -> Case | None:
        """Returns the case of an address, None for an unknown one. Raises PermissionDenied for who may not see it."""
        case_id: UUID | None = read_uuid(unquote(object_id))
        case = Case.objects.select_related("client").filter(pk=case_id).first() if case_id else None
        if not self.has_view_permission(request, case):
            raise PermissionDenied
        return case

    def _go_back(self, request: HttpRequest, case: Case, sentence: str, level: int) -> HttpResponse:
        self.message_user(request, sentence, level)
        return HttpResponseRedirect(_get_url(case))


def _get_url(case: Case) -> str:
    return reverse("admin:cases_case_change", args=[case.pk])


def _format(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) if document else ""
