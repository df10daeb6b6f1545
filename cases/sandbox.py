"""Time travel and the live view of a case, served in the sandbox's process alone; must not reach the product's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from pydantic import BaseModel, ConfigDict, Field

from agentmail.sandbox.control import control_view, read_body
from agentmail.sandbox.jsontext import BadBodyError, make_error
from cases.models import Case, CaseEvent, to_ms
from cases.time_travel import advance_clocks
from cases.workflow import Status

MAX_HOURS = 24 * 365
REFRESH_SECONDS = 2


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
    """GET /sandbox/case?thread_id=…: what the case of a thread does, as a page that renews itself, or as JSON.

    404 while no case knows the thread: it is stored a moment after its first mail.
    """
    thread_id = request.GET.get("thread_id", "").replace("\x00", "")
    case = Case.objects.filter(thread_id=thread_id).exclude(thread_id="").first()
    view = _view_case(case) if case is not None else None
    status = 200 if view else 404
    if request.accepts("text/html") and request.headers.get("Accept", "").startswith("text/html"):
        response = render(request, "cases/sandbox/case.html", {"case": view, "thread_id": thread_id}, status=status)
        if view is None or not view["hasEnded"]:
            response.headers["Refresh"] = str(REFRESH_SECONDS)
        return response
    return JsonResponse(view or {"error": {"message": "thread_id: names no thread of a case"}}, status=status)


def _view_case(case: Case) -> dict[str, Any]:
    question = case.input_requests.order_by("-requested_at", "-id").first()
    return {
        "caseId": str(case.id),
        "objective": case.objective,
        "status": case.status,
        "hasEnded": Status(case.status).is_terminal,
        "resultStatus": case.result_status,
        "result": case.result,
        "attemptCount": case.attempt_count,
        "nextActionAt": case.get_next_action_ms(),
        "now": to_ms(case.get_now(timezone.now())),
        "question": question.question if question and question.status == "PENDING" else "",
        "events": [_view_event(event) for event in case.events.order_by("id")],
    }


def _view_event(event: CaseEvent) -> dict[str, Any]:
    said = event.summary or event.last_error
    return {"kind": event.kind, "status": event.status, "summary": said, "at": event.created_at.isoformat()}
