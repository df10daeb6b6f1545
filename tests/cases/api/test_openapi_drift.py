"""The description and the code know the same routes and the same errors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, connection
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from tests.cases.api.conftest import Api, make_body
from tests.cases.api.description import Description
from tests.cases.factories import OPENED_AT, CaseFactory, make_api_key

API_FILES = sorted((Path(django_settings.BASE_DIR) / "cases" / "api").glob("*.py"))
# Routes that are no part of the API: for people, for the mail provider, for whoever watches the process.
NOT_THE_API = {"", "admin", "admin/", "docs", "openapi.json", "agentmail/webhook", "livez", "readyz", "metrics"}


@pytest.fixture(scope="module")
def description() -> Description:
    return Description()


# -- Routes


def _list_routes() -> Iterator[tuple[str, type[Any] | None]]:
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLResolver) and str(pattern.pattern) == "":
            for inner in pattern.url_patterns:
                assert isinstance(inner, URLPattern)
                yield str(inner.pattern), getattr(inner.callback, "cls", None)
        else:
            yield str(pattern.pattern), None


def _write_path(route: str) -> str:
    """Returns a route of Django as OpenAPI writes it."""
    words = {"<str:case_id>": "{caseId}", "<path:attachment_id>": "{attachmentId}"}
    for django, openapi in words.items():
        route = route.replace(django, openapi)
    return f"/{route}"


def test_the_description_has_every_route_and_method_of_the_api_and_no_other(description: Description) -> None:
    routes = {route: view for route, view in _list_routes() if view is not None}

    served = {
        (_write_path(route), method)
        for route, view in routes.items()
        for method in ("get", "post", "put", "patch", "delete")
        if method in view.http_method_names and hasattr(view, method)
    }

    assert {(operation.path, operation.method) for operation in description.list_operations()} == served


def test_every_other_route_is_known_to_be_none_of_the_api() -> None:
    assert {route for route, view in _list_routes() if view is None} <= NOT_THE_API


# -- Errors


# What makes an error out of its code; `__init__` is that of ApiError, called by its children.
MAKERS = ("ApiError", "__init__", "make_envelope", "_refuse", "_answer")


def _list_codes(path: Path) -> Iterator[str]:
    """Yields the codes that stand in calls of an error's maker."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in MAKERS:
            yield from (
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant)
                and isinstance(argument.value, str)
                and argument.value.isupper()
                and argument.value.replace("_", "").isalpha()
            )


def test_the_description_has_every_code_that_the_code_can_raise_and_no_other(description: Description) -> None:
    raised = {code for path in API_FILES for code in _list_codes(path)}

    assert set(description.get_schema("ErrorCode")["x-error-codes"]) == raised


def test_every_code_belongs_to_an_answer(description: Description) -> None:
    document = description.document
    answers = [answer for operation in description.list_operations() for answer in operation.text["responses"].values()]
    answers += document["components"]["responses"].values()

    told = set()
    for answer in answers:
        schema = answer["content"]["application/json"]["schema"]
        told |= set(schema.get("x-error-codes", ()))

    assert told == set(description.get_schema("ErrorCode")["x-error-codes"])


@dataclass(frozen=True)
class Provoked:
    """A request and its error. In the path, `{case}` is a case of the caller in `status`, `{other}` somebody else's."""

    operation: str
    path: str
    code: str
    body: Any = None
    status: str = "RUNNING"
    headers: dict[str, Any] = field(default_factory=dict)


ANSWER = {"inputRequestId": "11111111-1111-4111-8111-111111111111", "providedContext": "Yes"}
NOBODY = "00000000-0000-4000-8000-000000000000"
PROVOKED = [
    Provoked("listCases", "/cases?limit=0&status=DONE", "INVALID_REQUEST"),
    Provoked("listCases", "/cases", "UNAUTHORIZED", headers={"HTTP_X_API_KEY": ""}),
    Provoked("createCase", "/cases", "INVALID_REQUEST", {}),
    Provoked("createCase", "/cases", "UNAUTHORIZED", {}, headers={"HTTP_X_API_KEY": ""}),
    Provoked("createCase", "/cases", "UNSUPPORTED_MEDIA_TYPE", {}, headers={"CONTENT_TYPE": "text/plain"}),
    Provoked("createCase", "/cases", "PAYLOAD_TOO_LARGE", {"metadata": "x" * 1_000_001}),
    Provoked("createCase", "/cases", "INVALID_REQUEST", {}, headers={"HTTP_IDEMPOTENCY_KEY": "x" * 256}),
    Provoked("getCase", f"/cases/{NOBODY}", "CASE_NOT_FOUND"),
    Provoked("getCase", "/cases/{other}", "FORBIDDEN"),
    Provoked("getCase", "/cases/{case}?expand=result", "INVALID_REQUEST"),
    Provoked("getCase", "/cases/{case}", "UNAUTHORIZED", headers={"HTTP_X_API_KEY": "off_x"}),
    Provoked("getAttachment", f"/cases/{NOBODY}/attachments/1", "CASE_NOT_FOUND"),
    Provoked("getAttachment", "/cases/{case}/attachments/1", "ATTACHMENT_NOT_FOUND"),
    Provoked("getAttachment", "/cases/{other}/attachments/1", "FORBIDDEN"),
    Provoked("cancelCase", f"/cases/{NOBODY}/cancel", "CASE_NOT_FOUND", {}),
    Provoked("cancelCase", "/cases/{other}/cancel", "FORBIDDEN", {}),
    Provoked("cancelCase", "/cases/{case}/cancel", "CASE_ALREADY_FINISHED", {}, "COMPLETED"),
    Provoked("cancelCase", "/cases/{case}/cancel", "INVALID_REQUEST", {}, headers={"HTTP_HOST": "evil.example"}),
    Provoked("getAttachment", "/cases/{case}/attachments/1", "INVALID_REQUEST", headers={"HTTP_HOST": "evil.example"}),
    Provoked("provideInput", f"/cases/{NOBODY}/input", "CASE_NOT_FOUND", ANSWER),
    Provoked("provideInput", "/cases/{other}/input", "FORBIDDEN", ANSWER),
    Provoked("provideInput", "/cases/{case}/input", "CASE_NOT_WAITING_FOR_INPUT", ANSWER),
    Provoked("provideInput", "/cases/{case}/input", "INPUT_REQUEST_MISMATCH", ANSWER, "INPUT_NEEDED"),
    Provoked("provideInput", "/cases/{case}/input", "INVALID_REQUEST", {"inputRequestId": 1}, "INPUT_NEEDED"),
    Provoked("provideInput", "/cases/{case}/input", "UNSUPPORTED_MEDIA_TYPE", {}, headers={"CONTENT_TYPE": "a/b"}),
]


@pytest.mark.parametrize("provoked", PROVOKED, ids=lambda provoked: f"{provoked.operation} {provoked.code}")
def test_an_error_is_the_one_that_the_description_shows(
    api: Api, other_api: Api, description: Description, provoked: Provoked
) -> None:
    ended = {"result_status": "goal_achieved"} if provoked.status == "COMPLETED" else {}
    case = CaseFactory.create(client=api.client, status=provoked.status, **ended)
    if provoked.status == "INPUT_NEEDED":
        case.input_requests.create(question="Which?", requested_at=OPENED_AT)
    path = provoked.path.format(case=case.id, other=CaseFactory.create(client=other_api.client).id)
    operation = description.get_operation(provoked.operation)

    answer = api.send(operation.method.upper(), path, provoked.body, **provoked.headers)

    body = description.check_answer(provoked.operation, answer)
    assert body["error"]["code"] == provoked.code
    if provoked.code not in ("INVALID_REQUEST", "FORBIDDEN"):
        assert body in _list_shown(operation.text["responses"][str(answer.status_code)])


def _list_shown(response: dict[str, Any]) -> list[Any]:
    return [example["value"] for example in response["content"]["application/json"]["examples"].values()]


def test_the_answered_question_is_refused_as_the_description_shows(api: Api, description: Description) -> None:
    case = CaseFactory.create(client=api.client, status="INPUT_NEEDED")
    asked = case.input_requests.create(question="Which?", requested_at=OPENED_AT)
    body = {"inputRequestId": str(asked.id), "providedContext": "The first"}
    assert api.post(f"/cases/{case.id}/input", body).status_code == 202

    answer = api.post(f"/cases/{case.id}/input", body)

    told = description.check_answer("provideInput", answer)
    assert told["error"]["code"] == "INPUT_REQUEST_NOT_PENDING"
    assert told in _list_shown(description.get_operation("provideInput").text["responses"]["409"])


def test_a_replay_and_a_reused_key_are_what_the_description_shows(api: Api, description: Description) -> None:
    key: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": "one"}
    first = api.send("POST", "/cases", make_body(), **key)

    replayed = api.send("POST", "/cases", make_body(), **key)
    reused = api.send("POST", "/cases", make_body(clientReferenceId="other"), **key)

    operation = description.get_operation("createCase").text
    assert "Idempotency-Replayed" not in first.headers
    assert replayed.headers["Idempotency-Replayed"] == "true"
    description.check_answer("createCase", first)
    description.check_answer("createCase", replayed)
    assert description.check_answer("createCase", reused) in _list_shown(operation["responses"]["422"])


def test_what_belongs_to_no_route_is_described_too(api: Api, description: Description) -> None:
    shared = description.document["components"]["responses"]

    unknown, wrong_method = api.get("/nothing"), api.send("DELETE", "/cases")

    assert description.check_response(shared["NotFound"], unknown) in _list_shown(shared["NotFound"])
    assert description.check_response(shared["MethodNotAllowed"], wrong_method) in _list_shown(
        shared["MethodNotAllowed"]
    )


def test_an_unknown_route_is_told_before_the_key_and_a_wrong_method_after_it(api: Api) -> None:
    nobody: dict[str, Any] = {"HTTP_X_API_KEY": ""}

    answers = [api.send("DELETE", "/nothing", **nobody), api.send("DELETE", "/cases", **nobody)]

    assert [answer.status_code for answer in [*answers, api.send("DELETE", f"/cases/{NOBODY}")]] == [404, 401, 405]


def test_a_route_that_reads_no_body_and_no_query_refuses_a_malformed_request_as_the_description_shows(
    api: Api, description: Description
) -> None:
    responses = description.get_operation("cancelCase").text["responses"]

    answer = api.send("POST", f"/cases/{NOBODY}/cancel", HTTP_HOST="evil.example")

    assert description.check_answer("cancelCase", answer) in _list_shown(responses["400"])


def test_a_revoked_key_and_one_that_asks_too_much_are_refused_as_the_description_shows(
    api: Api, description: Description, settings: Settings
) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_KEY = 1
    _, revoked = make_api_key(client=api.client, revoked_at=OPENED_AT)
    responses = description.get_operation("listCases").text["responses"]

    answers = [api.get("/cases"), api.get("/cases"), Api(api.client, revoked).get("/cases")]

    assert [answer.status_code for answer in answers] == [200, 429, 403]
    for answer in answers[1:]:
        assert description.check_answer("listCases", answer) in _list_shown(responses[str(answer.status_code)])


def test_our_own_failure_is_what_the_description_shows(api: Api, description: Description) -> None:
    case = CaseFactory.create(client=api.client)

    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if "cases_case" in sql:
            raise DatabaseError("the database is gone")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        answer = api.get(f"/cases/{case.id}")

    shown = _list_shown(description.get_operation("getCase").text["responses"]["500"])
    assert answer.status_code == 500
    assert description.check_answer("getCase", answer) in shown
