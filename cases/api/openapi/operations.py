"""Describes each route of the API from outside, so that the views stay free of it; must not be imported by a view.

Importing this module is enough: drf-spectacular finds the classes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiViewExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse, extend_schema

from cases.api.openapi import examples
from cases.api.openapi.parameters import ATTACHMENT_ID, CASE_ID, FILTERS, IDEMPOTENCY_KEY, READING, REPLAYED
from cases.api.openapi.refusals import (
    EVERYWHERE,
    WITH_BODY,
    WITH_IDEMPOTENCY_KEY,
    describe_refusals,
    list_refusal_headers,
)
from cases.api.openapi.schemas import Schema, refer
from cases.api.serializers import AnswerSerializer, NewCaseSerializer

if TYPE_CHECKING:
    from collections.abc import Callable

    from drf_spectacular.openapi import AutoSchema
    from rest_framework.views import APIView

CASES = ["Cases"]
HUMANS = ["Human input"]
ATTACHMENTS = ["Attachments"]


class DescribeApiKey(OpenApiAuthenticationExtension):
    target_class = "cases.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "A key of your API client, such as `off_…`. Whoever runs this Offload gives you one.",
        }


def _answer(status: int, envelope: str, about: str, data: Mapping[str, Any]) -> dict[int, OpenApiResponse]:
    """`data` holds examples of the envelope's `data` by name."""
    shown = [OpenApiExample(name, value={"ok": True, "data": value}) for name, value in data.items()]
    return {status: OpenApiResponse(response=refer(envelope), description=about, examples=shown)}


def _take(serializer: type, bodies: Mapping[str, Any]) -> OpenApiRequest:
    shown = [OpenApiExample(name, value=value, request_only=True) for name, value in bodies.items()]
    return OpenApiRequest(request=serializer, examples=shown)


def _describe(
    name: str,
    summary: str,
    about: str,
    tags: list[str],
    *,
    responses: dict[int, OpenApiResponse],
    refusals: tuple[str, ...],
    invalid: dict[str, Any] | None = None,
    parameters: tuple[OpenApiParameter, ...] = (),
    request: OpenApiRequest | None = None,
) -> Callable[[Any], Any]:
    takes_key = IDEMPOTENCY_KEY in parameters
    return extend_schema(
        operation_id=name,
        summary=summary,
        description=about,
        tags=tags,
        parameters=[*parameters, *list_refusal_headers(has_idempotency_key=takes_key)],
        request=request,
        responses=responses | describe_refusals((*EVERYWHERE, *refusals), invalid),
    )


class DescribeCases(OpenApiViewExtension):
    target_class = "cases.api.views.CasesView"

    def view_replacement(self) -> type[APIView]:
        class Described(self.target):  # type: ignore[name-defined, misc]
            @_describe(
                "listCases",
                "List your cases",
                "Your own cases, newest first, a page at a time. Filters are joined with AND. Follow `nextCursor` with "
                "the same filters until it is `null`; the cursor does not hold them. Cases that are opened meanwhile "
                "stand before the first page, so nothing is skipped or shown twice.\n\nTo notice changes without "
                "webhooks, ask with `updatedAfter` a minute below the largest `updatedAt` you have seen, and go by "
                "`caseId` and `updatedAt`.",
                CASES,
                parameters=FILTERS,
                responses=_answer(200, "ListCasesAnswer", "A page of cases.", {"A page": examples.CASE_PAGE}),
                refusals=(),
                invalid=examples.INVALID_LISTING,
            )
            def get(self, request: Any) -> None: ...

            @_describe(
                "createCase",
                "Hand a case over",
                "Stores the case and queues its first message. Nothing has been sent when this answers. With an "
                "`Idempotency-Key` the request can be repeated safely.",
                CASES,
                parameters=(IDEMPOTENCY_KEY, REPLAYED),
                request=_take(
                    NewCaseSerializer,
                    {"The least": examples.SMALLEST_NEW_CASE, "With everything": examples.NEW_CASE},
                ),
                responses=_answer(201, "CreateCaseAnswer", "Stored.", {"Stored": examples.OPENED_CASE}),
                refusals=(*WITH_BODY, *WITH_IDEMPOTENCY_KEY),
                invalid=examples.INVALID_NEW_CASE,
            )
            def post(self, request: Any) -> None: ...

        return Described


class DescribeCase(OpenApiViewExtension):
    target_class = "cases.api.views.CaseView"

    def view_replacement(self) -> type[APIView]:
        class Described(self.target):  # type: ignore[name-defined, misc]
            @_describe(
                "getCase",
                "Read a case",
                "The case as it stands.",
                CASES,
                parameters=(CASE_ID, *READING),
                responses=_answer(200, "GetCaseAnswer", "The case.", examples.CASES),
                refusals=("CASE_NOT_FOUND",),
                invalid=examples.INVALID_READING,
            )
            def get(self, request: Any, case_id: str) -> None: ...

        return Described


class DescribeInput(OpenApiViewExtension):
    target_class = "cases.api.views.InputView"

    def view_replacement(self) -> type[APIView]:
        class Described(self.target):  # type: ignore[name-defined, misc]
            @_describe(
                "provideInput",
                "Answer a case's question",
                "Stores a human's answer to the case's active input request and queues it. That is `RESOLVED` at once; "
                "the case may read `INPUT_NEEDED` until a worker has taken the answer up. Of two answers at once "
                "exactly one is taken. Checked in this order: the case waits, the id is that of the active input "
                "request, nobody has answered it.",
                HUMANS,
                parameters=(CASE_ID, IDEMPOTENCY_KEY, REPLAYED),
                request=_take(AnswerSerializer, {"An answer": examples.PROVIDED_INPUT}),
                responses=_answer(
                    202, "ProvideInputAnswer", "Stored and queued.", {"Accepted": examples.ACCEPTED_INPUT}
                ),
                refusals=(
                    "CASE_NOT_FOUND",
                    "CASE_NOT_WAITING_FOR_INPUT",
                    "INPUT_REQUEST_MISMATCH",
                    "INPUT_REQUEST_NOT_PENDING",
                    *WITH_BODY,
                    *WITH_IDEMPOTENCY_KEY,
                ),
                invalid=examples.INVALID_INPUT,
            )
            def post(self, request: Any, case_id: str) -> None: ...

        return Described


class DescribeCancel(OpenApiViewExtension):
    target_class = "cases.api.views.CancelView"

    def view_replacement(self) -> type[APIView]:
        class Described(self.target):  # type: ignore[name-defined, misc]
            @_describe(
                "cancelCase",
                "Cancel a case",
                "Ends a case within the request, with the `resultStatus` `cancelled`: an active input request is "
                "`RESOLVED`, one `case.failed` goes out, and no mail leaves any more. A second call answers the same. "
                "A body is not read.",
                CASES,
                parameters=(CASE_ID,),
                responses=_answer(202, "CancelCaseAnswer", "Ended.", {"Ended": examples.CANCELLED_CASE}),
                refusals=("CASE_NOT_FOUND", "CASE_ALREADY_FINISHED"),
            )
            def post(self, request: Any, case_id: str) -> None: ...

        return Described


class DescribeAttachment(OpenApiViewExtension):
    target_class = "cases.api.views.AttachmentView"

    def view_replacement(self) -> type[APIView]:
        class Described(self.target):  # type: ignore[name-defined, misc]
            @_describe(
                "getAttachment",
                "Get an attachment's download link",
                "A fresh link from the mail provider, asked for at every request.",
                ATTACHMENTS,
                parameters=(CASE_ID, ATTACHMENT_ID),
                responses=_answer(
                    200, "GetAttachmentAnswer", "The file and its link.", {"A link": examples.ATTACHMENT_LINK}
                ),
                refusals=("CASE_NOT_FOUND", "ATTACHMENT_NOT_FOUND"),
            )
            def get(self, request: Any, case_id: str, attachment_id: str) -> None: ...

        return Described
