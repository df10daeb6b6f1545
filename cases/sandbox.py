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
from cases.time_travel import advance_clocks

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
    moved = advance_clocks(timedelta(hours=body.hours), body.caseId, timezone.now())
    return JsonResponse({"advanced": [str(case_id) for case_id in moved]})
