"""The pages of a step that was given up: GET asks, POST puts it back or ends the case; must not hold a rule."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from cases import services
from cases.admin import queues, words
from cases.admin.base import CaseAdminBase
from cases.admin.search import read_uuid
from cases.admin.timeline import list_deeds
from cases.models import Case, CaseEvent
from cases.workflow import Status

REQUEUE_PERMISSION = "cases.requeue_event"
GIVE_UP_PERMISSION = "cases.give_up_event"


class StepViews(CaseAdminBase):
    """What the admin of cases gains for its dead events."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/steps/<int:pk>/requeue/", view(self.requeue_view), name="cases_case_requeue"),
            path("<path:object_id>/steps/<int:pk>/give-up/", view(self.give_up_view), name="cases_case_give_up"),
            *super().get_urls(),
        ]

    def requeue_view(self, request: HttpRequest, object_id: str, pk: int) -> HttpResponse:
        """Asks, and on a POST puts the step back; of two people at once the second is told who was first."""
        found = self._find_step(request, object_id, pk, REQUEUE_PERMISSION)
        if isinstance(found, HttpResponse):
            return found
        case, event = found
        if request.method != "POST":
            return self._ask_about_step(request, case, event, "cases/actions/requeue.html", "Try this step again?")
        with transaction.atomic():
            is_done = services.requeue_event(event.pk)
            if is_done:
                self.log_change(request, case, words.tell_requeued(words.describe_event(event.kind)))
        if is_done:
            self.message_user(request, "The step is put back; a worker takes it up now.", messages.SUCCESS)
        else:
            self.message_user(request, f"Nothing was put back: {_tell_last_deed(case)}", messages.WARNING)
        return _go_to(case)

    def give_up_view(self, request: HttpRequest, object_id: str, pk: int) -> HttpResponse:
        """Asks whether the case shall end over a given-up step, and ends it on a POST."""
        found = self._find_step(request, object_id, pk, GIVE_UP_PERMISSION)
        if isinstance(found, HttpResponse):
            return found
        case, event = found
        if request.method != "POST":
            return self._ask_about_step(request, case, event, "cases/page/give_up.html", "End the case?")
        with transaction.atomic():
            by = request.user.get_username()[:200]
            is_done = services.give_up_event(event.pk, by=by, now=timezone.now())
            if is_done:
                self.log_change(request, case, words.tell_given_up(words.describe_event(event.kind)))
        if is_done:
            self.message_user(request, "The case has ended, and its client is told.", messages.SUCCESS)
        else:
            self.message_user(request, f"The case was not ended: {_tell_last_deed(case)}", messages.WARNING)
        return _go_to(case)

    def _find_step(
        self, request: HttpRequest, object_id: str, pk: int, permission: str
    ) -> tuple[Case, CaseEvent] | HttpResponse:
        """Returns the case and its event, or where to go instead. Raises PermissionDenied."""
        case_id = read_uuid(object_id)
        case = Case.objects.filter(pk=case_id).first() if case_id else None
        if not self.has_view_permission(request, case) or not request.user.has_perm(permission):
            raise PermissionDenied
        if case is None:
            self.message_user(request, "There is no case with this id.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:cases_case_changelist"))
        # A number beyond the column's range is no id, and an error to the database.
        event = CaseEvent.objects.filter(case=case, pk=pk).first() if pk < 2**63 else None
        return _go_to(case) if event is None else (case, event)

    def _ask_about_step(
        self, request: HttpRequest, case: Case, event: CaseEvent, template: str, title: str
    ) -> TemplateResponse | HttpResponseRedirect:
        if event.status != CaseEvent.DEAD or Status(case.status).is_terminal:
            self.message_user(request, f"There is nothing to do: {_tell_last_deed(case)}", messages.WARNING)
            return _go_to(case)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "case": case,
            "step": queues.describe_dead_step(event, case.counterparty_name),
            "case_url": reverse("admin:cases_case_change", args=[case.pk]),
        }
        return TemplateResponse(request, template, context)


def _go_to(case: Case) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:cases_case_change", args=[case.pk]))


def _tell_last_deed(case: Case) -> str:
    """Returns who was faster, or what else keeps a given-up step from being acted on."""
    deeds = list_deeds(case)
    if deeds:
        last = deeds[-1]
        return f"{last.who} was first, {words.format_time(last.at)}. {last.sentence}"
    return "the step is not given up any more, or the case has ended."
