"""Every error that leaves the application is the envelope, also where no view of ours was reached."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.db import connection
from django.http import Http404, HttpRequest, UnreadablePostError
from django.test import RequestFactory
from rest_framework import exceptions

from cases.api import errors
from cases.models import Case
from tests.cases.api.conftest import Api, make_body, read_error

SOME_CASE = "/cases/7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/cases/",
        "/case",
        f"{SOME_CASE}/",
        f"{SOME_CASE}/nothing",
        "/cases/a/b/c",
        "/favicon.ico",
        "/CASES",
    ],
)
def test_an_unknown_route_is_not_found_with_and_without_a_key(api: Api, path: str) -> None:
    for key in (api.key, ""):
        response = api.send("GET", path, HTTP_X_API_KEY=key)

        assert response.status_code == 404
        assert read_error(response) == {"code": "NOT_FOUND", "message": "There is nothing at this address."}


def test_an_unknown_route_is_answered_in_json_to_a_browser_too(api: Api) -> None:
    response = api.send("GET", "/nothing", HTTP_ACCEPT="text/html")

    assert response.status_code == 404
    assert read_error(response)["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/cases", "GET, HEAD, POST"),
        ("OPTIONS", "/cases", "GET, HEAD, POST"),
        ("TRACE", "/cases", "GET, HEAD, POST"),
        ("BREW", "/cases", "GET, HEAD, POST"),
        ("POST", SOME_CASE, "GET, HEAD"),
        ("DELETE", SOME_CASE, "GET, HEAD"),
        ("OPTIONS", SOME_CASE, "GET, HEAD"),
        ("GET", f"{SOME_CASE}/input", "POST"),
        ("PATCH", f"{SOME_CASE}/input", "POST"),
    ],
)
def test_a_method_that_a_route_does_not_take_is_refused(api: Api, method: str, path: str, allowed: str) -> None:
    response = api.send(method, path)

    assert response.status_code == 405
    assert read_error(response)["code"] == "METHOD_NOT_ALLOWED"
    assert response.headers["Allow"] == allowed


def test_what_the_client_accepts_changes_nothing(api: Api) -> None:
    accepted = ["text/html", "application/xml", "*/*", "nonsense", "application/json; indent=8"]

    bodies = {api.send("GET", SOME_CASE, HTTP_ACCEPT=accept).content for accept in accepted}

    assert bodies == {b'{"ok":false,"error":{"code":"CASE_NOT_FOUND","message":"There is no case with this id."}}'}


def test_a_host_that_is_not_ours_is_refused(api: Api) -> None:
    response = api.send("POST", "/cases", make_body(), HTTP_HOST="evil.example")

    assert response.status_code == 400
    assert read_error(response)["code"] == "INVALID_REQUEST"
    assert "evil" not in response.content.decode()
    assert Case.objects.count() == 0


def test_our_own_failure_tells_the_client_nothing_and_the_log_everything(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    def break_the_database(execute: Any, sql: str, *rest: Any) -> Any:
        if "INSERT" in sql:
            raise RuntimeError("secret of the inside")
        return execute(sql, *rest)

    with caplog.at_level(logging.ERROR), connection.execute_wrapper(break_the_database):
        response = api.post("/cases", make_body())

    assert response.status_code == 500
    assert read_error(response)["code"] == "INTERNAL_ERROR"
    assert "secret" not in response.content.decode()
    assert "unexpected error in CasesView" in caplog.text
    assert "secret of the inside" in caplog.text


@pytest.mark.parametrize(
    ("exception", "status", "code"),
    [
        (exceptions.ParseError("inner words"), 400, "INVALID_REQUEST"),
        (UnreadablePostError("inner words"), 400, "INVALID_REQUEST"),
        (exceptions.ValidationError({"a": ["is wrong"]}), 400, "INVALID_REQUEST"),
        (RequestDataTooBig("inner words"), 413, "PAYLOAD_TOO_LARGE"),
        (DisallowedHost("inner words"), 400, "INVALID_REQUEST"),
        (exceptions.Throttled(wait=2.5), 429, "RATE_LIMITED"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (Http404("inner words"), 404, "NOT_FOUND"),
        (exceptions.NotFound("inner words"), 404, "NOT_FOUND"),
        (ValueError("inner words"), 500, "INTERNAL_ERROR"),
    ],
)
def test_each_exception_has_its_envelope(exception: Exception, status: int, code: str) -> None:
    response = errors.answer_exception(exception, {})

    assert response.status_code == status
    assert response.data["ok"] is False
    assert response.data["error"]["code"] == code
    assert "inner words" not in json.dumps(response.data)


def test_a_client_that_is_too_fast_is_told_how_long_to_wait() -> None:
    response = errors.answer_exception(exceptions.Throttled(wait=2.5), {})

    assert response["Retry-After"] == "3"


@pytest.mark.parametrize("path", ["/cases", "/", "/administration"])
def test_the_handlers_answer_json_everywhere_but_on_pages(path: str) -> None:
    request = RequestFactory().get(path)

    answers = [
        errors.answer_bad_request(request, ValueError("inner words")),
        errors.answer_forbidden(request, ValueError("inner words")),
        errors.answer_not_found(request, ValueError("inner words")),
        errors.answer_server_error(request),
    ]

    assert [answer.status_code for answer in answers] == [400, 403, 404, 500]
    assert [read_error(answer)["code"] for answer in answers] == [
        "INVALID_REQUEST",
        "FORBIDDEN",
        "NOT_FOUND",
        "INTERNAL_ERROR",
    ]


@pytest.mark.parametrize("path", ["/admin/cases/nothing/", "/sandbox/nothing"])
def test_the_handlers_leave_pages_to_django(path: str) -> None:
    request: HttpRequest = RequestFactory().get(path)

    answers = [
        errors.answer_bad_request(request, ValueError("inner words")),
        errors.answer_forbidden(request, ValueError("inner words")),
        errors.answer_not_found(request, Http404()),
        errors.answer_server_error(request),
    ]

    assert [answer.status_code for answer in answers] == [400, 403, 404, 500]
    assert {answer.headers["Content-Type"].partition(";")[0] for answer in answers} == {"text/html"}


def test_a_form_of_the_admin_that_is_too_large_is_told_so() -> None:
    response = errors.answer_bad_request(RequestFactory().post("/admin/"), RequestDataTooBig("inner words"))

    assert response.status_code == 413
    assert read_error(response)["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize("path", ["/", "/admin"])
def test_what_people_type_leads_to_the_admin(api: Api, path: str) -> None:
    response = api.get(path)

    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")
