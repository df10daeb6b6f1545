"""Parameters and headers of requests; limits come from the code that checks them."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter

from cases.api.fields import MAX_ADDRESS, LineField
from cases.api.listing import DEFAULT_LIMIT, LATEST_MS, MAX_LIMIT
from cases.api.openapi.fields import map_line
from cases.api.openapi.schemas import TEXT, UUID, Schema, refer
from cases.api.serializers import NewCaseSerializer

# A filter by an empty id would find nothing, so it is refused where the case's own may be empty.
_REFERENCE = cast(LineField, NewCaseSerializer().fields["clientReferenceId"])
MOMENT: Schema = {"type": "integer", "format": "int64", "minimum": 0, "maximum": LATEST_MS}


def _query(name: str, schema: Schema, about: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=about, **options)


# The attributes of the URLs' patterns, which the description shows in camelCase.
CASE_ID = OpenApiParameter("case_id", UUID, OpenApiParameter.PATH, description="The `caseId` of the case.")
ATTACHMENT_ID = OpenApiParameter(
    "attachment_id",
    TEXT | {"minLength": 1},
    OpenApiParameter.PATH,
    description="The `attachmentId`, percent-encoded: it may hold a slash.",
)

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[ -~]*[!-~][ -~]*$"},
    OpenApiParameter.HEADER,
    description=(
        "Makes a repeat safe. For 24 hours the same key with the same method, path and body gives the first answer "
        "again, before any check of the body or of the case; with another request it is refused with 422, and while "
        "the first is still running with 409. Only 2xx answers are kept: after an error the key is as if unused. "
        "Choose a random one for each thing you want done, and send it again when an answer was lost."
    ),
)
REPLAYED = OpenApiParameter(
    "Idempotency-Replayed",
    {"type": "string", "const": "true"},
    OpenApiParameter.HEADER,
    description="There when this is the first answer again.",
    response=[201, 202],
)

_EXPAND = _query(
    "expand",
    {"type": "array", "items": refer("ExpandableMember"), "minItems": 1},
    "Adds members to each case. `metadata` stays absent when none was given.",
    style="form",
    explode=False,
)
READING = (
    _query(
        "includeTranscript",
        {"type": "boolean", "default": False},
        "With `true`, the answer has `conversationThread`. It is read from the mail provider; when that does not "
        "answer, it is built from the mail that is stored.",
    ),
    _EXPAND,
)
FILTERS = (
    _query(
        "status",
        {"type": "array", "items": refer("CaseStatus"), "minItems": 1},
        "Only cases in this status; repeat it for several.",
        style="form",
        explode=True,
    ),
    _query(
        "clientReferenceId",
        map_line(LineField(max_length=_REFERENCE.max_characters)),
        "Only cases with exactly this id of yours.",
    ),
    _query("createdAfter", MOMENT, "Only cases whose `createdAt` is larger."),
    _query("createdBefore", MOMENT, "Only cases whose `createdAt` is smaller."),
    _query("updatedAfter", MOMENT, "Only cases whose `updatedAt` is larger."),
    _query(
        "counterparty",
        {"type": "string", "format": "email", "maxLength": MAX_ADDRESS},
        "Only cases with this e-mail address, in any case of its letters.",
    ),
    _query(
        "limit",
        {"type": "integer", "format": "int32", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        "The most cases on a page.",
    ),
    _query(
        "cursor",
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
        "The `nextCursor` of the page before, unchanged.",
    ),
    _EXPAND,
)
