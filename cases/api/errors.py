"""Turns every error into the one envelope that clients get; must never answer with HTML or a stack trace.

`answer_exception` serves the API's views; the four `answer_…` handlers serve what never reaches a view, such as an
unknown route or a bad Host header. Pages for people (the admin, the sandbox) keep Django's own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import csrf, defaults
from rest_framework import exceptions
from rest_framework.response import Response

logger = logging.getLogger(__name__)

MAX_DETAILS = 100
PREFIXES_OF_PAGES = ("/admin/", "/sandbox/")
NOT_FOUND = "There is nothing at this address."
TOO_LARGE = "The body is larger than 1 MB."
INTERNAL_ERROR = "Something failed on our side. Please try again; if it stays, tell whoever runs this Offload."


class ApiError(exceptions.APIException):
    """An error with the status, code and sentence that the client gets.

    details: one `{field, message}` for each fault of the body.
    """

    def __init__(self, status_code: int, code: str, message: str, details: list[dict[str, str]] | None = None) -> None:
        super().__init__(message, code)
        self.status_code = status_code
        self.code = code
        self.message = message
        self.details = details or []


class InvalidRequest(ApiError):
    """400 INVALID_REQUEST."""

    def __init__(self, message: str, details: list[dict[str, str]] | None = None) -> None:
        super().__init__(400, "INVALID_REQUEST", message, details)


class TooLarge(ApiError):
    """413 PAYLOAD_TOO_LARGE."""

    def __init__(self) -> None:
        super().__init__(413, "PAYLOAD_TOO_LARGE", TOO_LARGE)


class UnsupportedMediaType(ApiError):
    """415 UNSUPPORTED_MEDIA_TYPE."""

    def __init__(self, message: str) -> None:
        super().__init__(415, "UNSUPPORTED_MEDIA_TYPE", message)


class Forbidden(ApiError):
    """403 FORBIDDEN."""

    def __init__(self, message: str) -> None:
        super().__init__(403, "FORBIDDEN", message)


class CaseNotFound(ApiError):
    """404 CASE_NOT_FOUND."""

    def __init__(self) -> None:
        super().__init__(404, "CASE_NOT_FOUND", "There is no case with this id.")


class AttachmentNotFound(ApiError):
    """404 ATTACHMENT_NOT_FOUND."""

    def __init__(self) -> None:
        super().__init__(404, "ATTACHMENT_NOT_FOUND", "The case has no attachment with this id.")


def make_envelope(code: str, message: str, details: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """Returns the body of every error (docs/api/errors.md)."""
    error: dict[str, Any] = {"code": code, "message": message}
    if details:
        error["details"] = details
    return {"ok": False, "error": error}


def answer_exception(exception: Exception, context: Mapping[str, Any]) -> Response:
    """Returns the answer to whatever a view of the API raised; DRF's EXCEPTION_HANDLER.

    What nobody foresaw is logged with its trace here, and the client learns only that it was our fault.
    """
    error = _name_error(exception)
    if error is None:
        logger.error("unexpected error in %s", _name_view(context), exc_info=exception)
        error = ApiError(500, "INTERNAL_ERROR", INTERNAL_ERROR)
    headers = {}
    if isinstance(exception, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        headers["WWW-Authenticate"] = "ApiKey"
    if isinstance(exception, exceptions.Throttled):
        headers["Retry-After"] = str(max(1, getattr(exception, "wait", None) or 1))
    return Response(make_envelope(error.code, error.message, error.details), status=error.status_code, headers=headers)


def _name_view(context: Mapping[str, Any]) -> str:
    return type(context.get("view")).__name__


def _name_error(exception: Exception) -> ApiError | None:
    """Returns the error that a foreseen exception stands for, or None."""
    match exception:
        case ApiError():
            return exception
        case exceptions.ValidationError():
            return make_validation_error(exception.detail)
        case exceptions.ParseError() | UnreadablePostError():
            return InvalidRequest("The body could not be read.")
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return ApiError(401, "UNAUTHORIZED", "Send a valid API key in the header x-api-key.")
        case exceptions.PermissionDenied():
            return ApiError(403, "FORBIDDEN", str(exception.detail))
        case Http404() | exceptions.NotFound():
            return ApiError(404, "NOT_FOUND", NOT_FOUND)
        case exceptions.MethodNotAllowed():
            return ApiError(405, "METHOD_NOT_ALLOWED", "This route does not take this method; see the header Allow.")
        case exceptions.UnsupportedMediaType():
            return UnsupportedMediaType("Send the body as content-type: application/json.")
        case exceptions.Throttled():
            return ApiError(429, "RATE_LIMITED", "Too many requests; wait as long as the header Retry-After says.")
        case RequestDataTooBig():
            return TooLarge()
        case SuspiciousOperation():
            return InvalidRequest("The request is malformed.")
    return None


def make_validation_error(detail: Any) -> InvalidRequest:
    """Returns one error for all faults that a serializer found, each named by its dotted path in the body."""
    found = islice(_list_faults(detail, ""), MAX_DETAILS)
    faults = [{"field": path[:200], "message": message} for path, message in found]
    first = f"{faults[0]['field']} {faults[0]['message']}".strip()
    rest = len(faults) - 1
    message = f"{first}." if rest == 0 else f"{first} (and {rest} more; see details)."
    return InvalidRequest(message, faults)


def _list_faults(detail: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            is_whole = name == "non_field_errors"
            yield from _list_faults(inner, path if is_whole else f"{path}.{name}".lstrip("."))
    elif isinstance(detail, list | tuple):
        for inner in detail:
            yield from _list_faults(inner, path)
    else:
        yield path, str(detail)


# -- What never reaches a view of the API


def answer_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answers an unknown route; Django's handler404."""
    if _is_page(request):
        return defaults.page_not_found(request, exception)
    return _answer(404, "NOT_FOUND", NOT_FOUND)


def answer_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answers a request that Django itself refused; its handler400."""
    if isinstance(exception, RequestDataTooBig):
        return _answer(413, "PAYLOAD_TOO_LARGE", TOO_LARGE)
    if isinstance(exception, DisallowedHost):
        return _answer(400, "INVALID_REQUEST", "This server does not answer for the host that the header Host names.")
    if _is_page(request):
        return defaults.bad_request(request, exception)
    return _answer(400, "INVALID_REQUEST", "The request is malformed.")


def answer_forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answers a refusal outside of the API's views; Django's handler403."""
    if _is_page(request):
        return defaults.permission_denied(request, exception)
    return _answer(403, "FORBIDDEN", "This is not allowed.")


def answer_csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answers a form of a page that came without its token, or a client that posts to a page; CSRF_FAILURE_VIEW."""
    if _is_page(request):
        return csrf.csrf_failure(request, reason)
    return _answer(403, "FORBIDDEN", "This is not allowed.")


def answer_server_error(request: HttpRequest) -> HttpResponse:
    """Answers our own failure outside of the API's views; Django's handler500, which has logged it."""
    if _is_page(request):
        return defaults.server_error(request)
    return _answer(500, "INTERNAL_ERROR", INTERNAL_ERROR)


def _is_page(request: HttpRequest) -> bool:
    return request.path_info.startswith(PREFIXES_OF_PAGES)


def _answer(status: int, code: str, message: str) -> HttpResponse:
    return JsonResponse(make_envelope(code, message), status=status)
