"""Every error of the API with its status and meaning, as responses of the description; must not answer anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from cases.api.errors import INTERNAL_ERROR, NOT_FOUND, TOO_LARGE, make_envelope
from cases.api.openapi.schemas import Schema, refer


@dataclass(frozen=True, slots=True)
class Refusal:
    """when: what has happened; message: as the API says it."""

    status: int
    when: str
    message: str


REFUSALS = {
    "INVALID_REQUEST": Refusal(
        400,
        "Malformed JSON, a wrong type, a missing or unusable value. `details` lists every fault at once.",
        "This server does not answer for the host that the header Host names.",
    ),
    "UNAUTHORIZED": Refusal(
        401, "No API key, or one that is not known.", "Send a valid API key in the header x-api-key."
    ),
    "FORBIDDEN": Refusal(
        403, "The key is revoked, expired or inactive, or the case is another client's.", "This API key was revoked."
    ),
    "CASE_NOT_FOUND": Refusal(404, "There is no case with this id.", "There is no case with this id."),
    "ATTACHMENT_NOT_FOUND": Refusal(
        404, "The case has no attachment with this id.", "The case has no attachment with this id."
    ),
    "NOT_FOUND": Refusal(404, "There is no such route. Comes before any look at the API key.", NOT_FOUND),
    "METHOD_NOT_ALLOWED": Refusal(
        405,
        "The route does not take this method. Comes after the key is looked at: a bad one is told first.",
        "This route does not take this method; see the header Allow.",
    ),
    "CASE_NOT_WAITING_FOR_INPUT": Refusal(
        409, "The case asks nothing at the moment.", "The case does not wait for input."
    ),
    "INPUT_REQUEST_MISMATCH": Refusal(
        409,
        "The id is not that of the active input request.",
        "This is not the case's active input request; read the case for its id.",
    ),
    "INPUT_REQUEST_NOT_PENDING": Refusal(
        409, "The input request was answered already.", "This input request has been answered already."
    ),
    "CASE_ALREADY_FINISHED": Refusal(
        409, "The case ended otherwise.", "The case has ended already, so there is nothing to cancel."
    ),
    "IDEMPOTENCY_KEY_IN_PROGRESS": Refusal(
        409,
        "The first request with this `Idempotency-Key` is still running; repeat this one after `Retry-After`.",
        "The first request with this Idempotency-Key is still running; send this one again in a second.",
    ),
    "PAYLOAD_TOO_LARGE": Refusal(413, "The body is larger than 1 MB.", TOO_LARGE),
    "UNSUPPORTED_MEDIA_TYPE": Refusal(
        415,
        "The `content-type` is not `application/json`, it names a charset other than UTF-8, or the body is compressed. "
        "A body whose bytes are no UTF-8 gets 400.",
        "Send the body as content-type: application/json.",
    ),
    "IDEMPOTENCY_KEY_REUSED": Refusal(
        422,
        "The `Idempotency-Key` was used for another request within 24 hours.",
        "This Idempotency-Key was used for another request within 24 hours; send a new key with a new request.",
    ),
    "RATE_LIMITED": Refusal(
        429,
        "Too many requests with this key, or too many failed authentications from this address.",
        "Too many requests; wait as long as the header Retry-After says.",
    ),
    "INTERNAL_ERROR": Refusal(500, "Our fault. The request may be repeated.", INTERNAL_ERROR),
}

# All that can be wrong with a request whose body and query are not read.
MALFORMED = "The request itself is malformed, such as by a header `Host` that this server does not answer for."
# What any route answers that a client with a key calls.
EVERYWHERE = ("INVALID_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED", "INTERNAL_ERROR")
WITH_BODY = ("PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
WITH_IDEMPOTENCY_KEY = ("IDEMPOTENCY_KEY_IN_PROGRESS", "IDEMPOTENCY_KEY_REUSED")

RETRY_AFTER: Schema = {"type": "integer", "minimum": 1, "examples": [1]}
CHALLENGE: Schema = {"type": "string", "const": "ApiKey"}
METHODS: Schema = {"type": "string", "examples": ["GET, HEAD, POST"]}


def make_answer(code: str) -> dict[str, Any]:
    """Returns the error as it is sent."""
    return make_envelope(code, REFUSALS[code].message)


def describe_refusals(codes: tuple[str, ...], invalid: dict[str, Any] | None) -> dict[int, OpenApiResponse]:
    """Returns one response for each status that `codes` bring.

    `invalid` is the route's own INVALID_REQUEST; None where the route reads neither a body nor a query.
    """
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(REFUSALS[code].status, []).append(code)
    return {status: _describe(by_status[status], invalid) for status in sorted(by_status)}


def _describe(codes: list[str], invalid: dict[str, Any] | None) -> OpenApiResponse:
    shown = {code: make_answer(code) for code in codes}
    told = {code: REFUSALS[code].when for code in codes}
    if "INVALID_REQUEST" in codes:
        shown["INVALID_REQUEST"] = invalid or shown["INVALID_REQUEST"]
        told["INVALID_REQUEST"] = told["INVALID_REQUEST"] if invalid else MALFORMED
    return OpenApiResponse(
        response=narrow(codes),
        description="\n\n".join(f"`{code}`: {when}" for code, when in told.items()),
        examples=[
            OpenApiExample(code.replace("_", " ").lower(), summary=code, value=value) for code, value in shown.items()
        ],
    )


def narrow(codes: list[str]) -> Schema:
    """Returns the schema of an error answer whose code is one of `codes`, or one that came later.

    The codes stand beside the reference: a schema around it would be one more type in a generated client for each
    status, all of them the same.
    """
    return refer("ErrorAnswer") | {"x-error-codes": codes}


def list_refusal_headers(*, has_idempotency_key: bool) -> list[OpenApiParameter]:
    """Returns the headers that come with refusals."""
    headers = [
        _make_header("WWW-Authenticate", CHALLENGE, 401, "The scheme of the header x-api-key.", required=True),
        _make_header("Retry-After", RETRY_AFTER, 429, "Seconds to wait before the next request.", required=True),
    ]
    if has_idempotency_key:
        about = "Seconds to wait before the next request. Only with `IDEMPOTENCY_KEY_IN_PROGRESS`."
        headers.append(_make_header("Retry-After", RETRY_AFTER, 409, about, required=False))
    return headers


def _make_header(name: str, schema: Schema, status: int, about: str, *, required: bool) -> OpenApiParameter:
    return OpenApiParameter(
        name, schema, OpenApiParameter.HEADER, required=required, description=about, response=[status]
    )


def list_shared_responses() -> dict[str, Schema]:
    """Returns the answers that belong to no operation: those to a route or a method that there is not."""
    allow = {"Allow": {"description": "The methods that the route takes.", "required": True, "schema": METHODS}}
    return {
        "NotFound": _share("NOT_FOUND"),
        "MethodNotAllowed": _share("METHOD_NOT_ALLOWED") | {"headers": allow},
    }


def _share(code: str) -> Schema:
    example = {code: {"value": make_answer(code)}}
    return {
        "description": f"`{code}`: {REFUSALS[code].when}",
        "content": {"application/json": {"schema": narrow([code]), "examples": example}},
    }
