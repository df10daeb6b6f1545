"""Failures before Django has a request still leave as the envelope."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.wsgi import get_wsgi_application

from cases.api.last_resort import answer_every_failure

# A request makes Django look after its connections, which a test must be allowed to have.
pytestmark = pytest.mark.django_db


def call(application: Any, **environ: str) -> tuple[str, dict[str, str], bytes]:
    started: list[tuple[str, dict[str, str]]] = []
    environment: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/nothing",
        "HTTP_HOST": "localhost",
        **environ,
    }
    setup_testing_defaults(environment)
    body = b"".join(application(environment, lambda status, headers: started.append((status, dict(headers)))))
    return started[0][0], started[0][1], body


@pytest.mark.parametrize(
    ("content_type", "query"),
    [
        ("application/json; charset=bz2_codec", "a=1"),
        ("application/json; charset=rot13", "a=1"),
        ("application/json; charset=utf-8", "&".join(f"a{n}=1" for n in range(1_001))),
    ],
)
def test_a_request_that_django_cannot_build_is_refused_in_the_envelope(content_type: str, query: str) -> None:
    status, headers, body = call(
        answer_every_failure(get_wsgi_application()), CONTENT_TYPE=content_type, QUERY_STRING=query
    )

    assert status == "400 Bad Request"
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(body))
    assert json.loads(body) == {
        "ok": False,
        "error": {
            "code": "INVALID_REQUEST",
            "message": "The request's query string or charset cannot be read.",
        },
    }


def test_what_django_answers_passes_unchanged() -> None:
    status, _, body = call(answer_every_failure(get_wsgi_application()), QUERY_STRING="a=1")

    assert status == "404 Not Found"
    assert json.loads(body)["error"]["code"] == "NOT_FOUND"


def test_any_other_failure_is_ours_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise ConnectionError("secret of the inside")

    with caplog.at_level(logging.ERROR):
        status, _, body = call(answer_every_failure(fail))

    assert status == "500 Internal Server Error"
    assert json.loads(body)["error"]["code"] == "INTERNAL_ERROR"
    assert b"secret" not in body
    assert "secret of the inside" in caplog.text
