"""The sandbox's routes that are about cases, for scripts and for people; must not reach the product's own process."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_POST, require_safe
from pydantic import BaseModel, ConfigDict, Field

from agentmail.sandbox.control import control_view, read_body
from agentmail.sandbox.jsontext import BadBodyError, make_error
from agentmail.sandbox.pages import redirect_to_thread
from cases.models import Case
from cases.sandbox.panel import render_case
from cases.sandbox.samples import SAMPLES, open_sample
from cases.sandbox.telling import represent
from cases.time_travel import advance_clocks
from cases.workflow import Status

MAX_HOURS = 24 * 365


class AdvanceBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    hours: Annotated[float, Field(gt=0, le=MAX_HOURS)]
    caseId: UUID | None = None  # noqa: N815 -- the API's own name


@control_view
@require_POST
def advance(request: HttpRequest) -> HttpResponse:
    """POST /sandbox/advance {"hours", "caseId"?}: so much time passes for that case, or for all live ones."""
    body = read_body(request, AdvanceBody)
    if body.caseId is not None and (refusal := _find_refusal(body.caseId)):
        raise BadBodyError([make_error(["caseId"], refusal, "no_live_case")])
    moved = advance_clocks(timedelta(hours=body.hours), body.caseId, timezone.now())
    return JsonResponse({"advanced": [str(case_id) for case_id in moved]})


def _find_refusal(case_id: UUID) -> str:
    case = Case.objects.filter(pk=case_id).only("status").first()
    if case is None:
        return "names no case"
    return f"names a case that has ended as {case.status}" if Status(case.status).is_terminal else ""


@require_GET
def show_case(request: HttpRequest) -> HttpResponse:
    """GET /sandbox/case?thread_id=…: what the case of a thread does, as JSON; a browser is led to the conversation.

    404 while no case knows the thread: it is stored a moment after its first mail.
    """
    thread_id = request.GET.get("thread_id", "").replace("\x00", "")
    case = Case.objects.filter(thread_id=thread_id).exclude(thread_id="").first()
    if case is None:
        return JsonResponse({"error": {"message": "thread_id: names no thread of a case"}}, status=404)
    if request.headers.get("Accept", "").startswith("text/html"):
        return redirect("sandbox:thread", case.thread_id)
    return JsonResponse(represent(case, timezone.now()))


@require_POST
@csrf_protect
def start_sample(request: HttpRequest) -> HttpResponse:
    """POST /sandbox/cases `sample`: opens one of the prepared cases and goes to its page; each call opens another."""
    sample = SAMPLES.get(request.POST.get("sample", ""))
    if sample is None:
        raise Http404("There is no such sample case.")
    case = open_sample(sample, timezone.now())
    response = HttpResponseRedirect(f"/sandbox/cases/{case.id}/")
    # 303: reloading the next page opens nothing again.
    response.status_code = 303
    return response


@require_safe
@csrf_protect
def follow_case(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """GET /sandbox/cases/{id}/: what the case does until its first mail is out; from then on, the conversation."""
    case = _find_case(case_id)
    if case.thread_id:
        return redirect("sandbox:thread", case.thread_id)
    context = {"case": case, "panel": render_case(request, case, timezone.now())}
    return render(request, "cases/sandbox/opening.html", context)


@require_POST
@csrf_protect
def let_time_pass(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """POST /sandbox/cases/{id}/wait `hours`: one of the spans that the page offers; an ended case stays as it is."""
    case = _find_case(case_id)
    hours = request.POST.get("hours", "")
    if hours not in ("1", "24", "72"):
        raise Http404("This page lets 1, 24 or 72 hours pass.")
    moved = advance_clocks(timedelta(hours=int(hours)), case.id, timezone.now())
    if not case.thread_id:
        return redirect("sandbox-case", case.id)
    return redirect_to_thread(case.thread_id, "waited" if moved else "ended")


def _find_case(case_id: UUID) -> Case:
    case = Case.objects.filter(pk=case_id).first()
    if case is None:
        raise Http404("There is no such case.")
    return case
