"""Time travel over HTTP, served in the sandbox's process; must not be mounted in the product's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_POST
from pydantic import BaseModel, ConfigDict, Field

from agentmail.sandbox.control import control_view, read_body
from agentmail.sandbox.jsontext import BadBodyError, make_error
from cases.models import Case
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
