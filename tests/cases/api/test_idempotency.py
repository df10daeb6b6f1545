"""Idempotency-Key on POST /cases and POST /cases/{id}/input: one key, one effect, one answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from django.http import HttpResponse

from cases.api.idempotency import KEPT_FOR
from cases.models import Case, CaseEvent, IdempotentAnswer, InputRequest
from tests.cases.api.conftest import Api, make_body, read_data, read_error
from tests.cases.factories import CaseFactory, make_api_key

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def open_case(api: Api, key: str = "k-1", **changes: Any) -> HttpResponse:
    return api.send("POST", "/cases", make_body(**changes), HTTP_IDEMPOTENCY_KEY=key)


def make_waiting_case(api: Api) -> tuple[Case, InputRequest]:
    case = CaseFactory.create(client=api.client, status="INPUT_NEEDED", attempt_count=1)
    return case, InputRequest.objects.create(case=case, question="May Maya send it by post?", requested_at=NOW)


def give_input(api: Api, case: Case, question: InputRequest, text: str = "Yes", key: str = "k-1") -> HttpResponse:
    body = {"inputRequestId": str(question.id), "providedContext": text}
    return api.send("POST", f"/cases/{case.id}/input", body, HTTP_IDEMPOTENCY_KEY=key)


def is_replay(response: HttpResponse) -> bool:
    return response.headers.get("Idempotency-Replayed") == "true"


def run_in_thread(call: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        return call()
    finally:
        connections.close_all()


# -- The first answer again


def test_a_lost_answer_is_repeated_to_the_byte_with_the_same_key(api: Api) -> None:
    first = open_case(api)

    again = open_case(api)

    assert (first.status_code, is_replay(first)) == (201, False)
    assert (again.status_code, is_replay(again)) == (201, True)
    assert again.content == first.content
    assert again.headers["Content-Type"] == first.headers["Content-Type"] == "application/json"
    assert (Case.objects.count(), CaseEvent.objects.count()) == (1, 1)


def test_an_answer_with_a_key_is_the_answer_without_one(api: Api) -> None:
    with_key, without = open_case(api), api.post("/cases", make_body())

    assert with_key.content.replace(*[read_data(response)["caseId"].encode() for response in (with_key, without)]) == (
        without.content
    )
    headers, others = dict(with_key.headers), dict(without.headers)
    assert headers.pop("X-Request-ID") != others.pop("X-Request-ID")
    assert headers == others


def test_an_answer_of_a_human_is_repeated_whatever_became_of_the_case(api: Api) -> None:
    case, question = make_waiting_case(api)
    first = give_input(api, case, question)
    Case.objects.filter(pk=case.pk).update(status="COMPLETED", result_status="goal_achieved")

    again = give_input(api, case, question)

    assert (first.status_code, again.status_code, is_replay(again)) == (202, 202, True)
    assert again.content == first.content
    assert CaseEvent.objects.filter(kind="INPUT_PROVIDED").count() == 1


def test_without_a_key_every_request_opens_a_case(api: Api) -> None:
    assert [api.post("/cases", make_body()).status_code for _ in range(2)] == [201, 201]

    assert (Case.objects.count(), IdempotentAnswer.objects.count()) == (2, 0)


def test_two_keys_open_two_cases(api: Api) -> None:
    assert [open_case(api, key).status_code for key in ("k-1", "K-1")] == [201, 201]

    assert Case.objects.count() == 2


def test_a_key_belongs_to_the_client_whichever_api_key_it_uses(api: Api, other_api: Api) -> None:
    _, second = make_api_key(client=api.client)
    first = open_case(api)

    same_client = open_case(Api(api.client, second))
    other_client = open_case(other_api)

    assert (same_client.content, is_replay(same_client)) == (first.content, True)
    assert (other_client.status_code, is_replay(other_client)) == (201, False)
    assert Case.objects.count() == 2


@pytest.mark.parametrize("path", ["/cases/{id}", "/cases/{id}/cancel"])
def test_other_routes_do_not_look_at_the_header(api: Api, path: str) -> None:
    case = CaseFactory.create(client=api.client)

    response = api.send("GET" if path.endswith("}") else "POST", path.format(id=case.id), HTTP_IDEMPOTENCY_KEY="")

    assert response.status_code in (200, 202)
    assert IdempotentAnswer.objects.count() == 0


# -- Another request


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"channel": "SMS"}',
        # The same members; the raw body is what counts.
        b'{ "channel": "EMAIL"}',
    ],
)
def test_a_key_that_another_body_has_used_is_refused_before_the_body_is_judged(api: Api, raw: bytes) -> None:
    open_case(api)

    response = api.send("POST", "/cases", raw=raw, HTTP_IDEMPOTENCY_KEY="k-1")

    assert response.status_code == 422
    assert read_error(response) == {
        "code": "IDEMPOTENCY_KEY_REUSED",
        "message": (
            "This Idempotency-Key was used for another request within 24 hours; send a new key with a new request."
        ),
    }
    assert (Case.objects.count(), CaseEvent.objects.count()) == (1, 1)


def test_a_key_that_another_path_has_used_is_refused_even_with_the_same_body(api: Api) -> None:
    case, question = make_waiting_case(api)
    other, _ = make_waiting_case(api)
    give_input(api, case, question)

    response = give_input(api, other, question)

    assert (response.status_code, read_error(response)["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


# -- What is kept, and for how long


def test_a_refused_request_leaves_its_key_unused(api: Api) -> None:
    refused = open_case(api, channel="FAX")

    mended = open_case(api)

    assert (refused.status_code, mended.status_code, is_replay(mended)) == (400, 201, False)


def test_a_conflict_is_not_kept(api: Api) -> None:
    case, question = make_waiting_case(api)
    Case.objects.filter(pk=case.pk).update(status="RUNNING")
    refused = give_input(api, case, question)
    assert IdempotentAnswer.objects.count() == 0
    Case.objects.filter(pk=case.pk).update(status="INPUT_NEEDED")

    taken = give_input(api, case, question)

    assert (refused.status_code, taken.status_code, is_replay(taken)) == (409, 202, False)


def test_our_own_failure_keeps_neither_the_case_nor_the_key(api: Api) -> None:
    def fail_at_the_record(execute: Any, sql: str, *rest: Any) -> Any:
        if "INSERT INTO cases_idempotentanswer" in sql:
            raise RuntimeError("the process died here")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail_at_the_record):
        failed = open_case(api)

    assert failed.status_code == 500
    assert (Case.objects.count(), CaseEvent.objects.count(), IdempotentAnswer.objects.count()) == (0, 0, 0)
    assert open_case(api).status_code == 201


@pytest.mark.parametrize(("passed", "is_kept"), [(KEPT_FOR - timedelta(seconds=1), True), (KEPT_FOR, False)])
def test_a_key_is_free_again_after_24_hours(api: Api, passed: timedelta, is_kept: bool) -> None:
    with time_machine.travel(NOW, tick=False):
        first = open_case(api)

    with time_machine.travel(NOW + passed, tick=False):
        later = open_case(api)
        again = open_case(api)

    assert (later.status_code, is_replay(later), later.content == first.content) == (201, is_kept, is_kept)
    assert (again.content, is_replay(again)) == (later.content, True)
    assert (Case.objects.count(), IdempotentAnswer.objects.count()) == (1 if is_kept else 2, 1)


# -- The header


@pytest.mark.parametrize("key", ["x" * 255, "!", "~", "a b", '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_any_printable_ascii_is_a_key(api: Api, key: str) -> None:
    assert open_case(api, key).status_code == 201
    assert is_replay(open_case(api, key))


@pytest.mark.parametrize("key", ["", " ", "   ", "x" * 256, "é", "a\tb", "a\x00b", "a\x7fb", "\x1b[31m", "a\nb"])
def test_a_faulty_key_is_named_and_nothing_is_stored(api: Api, key: str) -> None:
    response = open_case(api, key)

    assert response.status_code == 400
    assert read_error(response) == {
        "code": "INVALID_REQUEST",
        "message": "Idempotency-Key must be 1 to 255 printable ASCII characters.",
        "details": [{"field": "Idempotency-Key", "message": "must be 1 to 255 printable ASCII characters"}],
    }
    assert (Case.objects.count(), IdempotentAnswer.objects.count()) == (0, 0)


def test_a_body_that_is_too_large_is_refused_with_a_key_too(api: Api) -> None:
    response = api.send("POST", "/cases", raw=b"x" * 1_000_001, HTTP_IDEMPOTENCY_KEY="k-1")

    assert (response.status_code, read_error(response)["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_nobody_gets_an_answer_without_an_api_key(api: Api) -> None:
    open_case(api)

    response = api.send("POST", "/cases", make_body(), HTTP_IDEMPOTENCY_KEY="k-1", HTTP_X_API_KEY="")

    assert (response.status_code, is_replay(response)) == (401, False)


# -- At the same time


@pytest.mark.django_db(transaction=True)
def test_twenty_requests_at_once_with_one_key_make_one_case(transactional_db: None, api: Api) -> None:
    start = Barrier(20)

    def send() -> HttpResponse:
        start.wait()
        return open_case(Api(api.client, api.key))

    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(run_in_thread, send) for _ in range(20)]
        answers = [future.result(timeout=60) for future in futures]

    assert (Case.objects.count(), CaseEvent.objects.count()) == (1, 1)
    opened = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len({answer.content for answer in opened}) == 1
    assert [is_replay(answer) for answer in opened].count(False) == 1
    assert {(answer.status_code, read_error(answer)["code"]) for answer in refused} <= {
        (409, "IDEMPOTENCY_KEY_IN_PROGRESS")
    }


@pytest.mark.django_db(transaction=True)
def test_while_the_first_request_is_running_a_second_is_told_to_come_back(transactional_db: None, api: Api) -> None:
    is_inside, may_go_on = Event(), Event()

    def wait_at_the_record(execute: Any, sql: str, *rest: Any) -> Any:
        if "INSERT INTO cases_idempotentanswer" in sql:
            is_inside.set()
            assert may_go_on.wait(timeout=30)
        return execute(sql, *rest)

    def send_slowly() -> HttpResponse:
        with connection.execute_wrapper(wait_at_the_record):
            return open_case(Api(api.client, api.key))

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(run_in_thread, send_slowly)
        assert is_inside.wait(timeout=30)
        second = open_case(api)
        other_key = open_case(api, "k-2")
        may_go_on.set()
        answered = first.result(timeout=30)

    assert second.status_code == 409
    assert second.headers["Retry-After"] == "1"
    assert read_error(second) == {
        "code": "IDEMPOTENCY_KEY_IN_PROGRESS",
        "message": "The first request with this Idempotency-Key is still running; send this one again in a second.",
    }
    assert (other_key.status_code, answered.status_code, Case.objects.count()) == (201, 201, 2)
    third = open_case(api)
    assert (third.content, is_replay(third)) == (answered.content, True)


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_kept_between_look_up_and_record_wins(transactional_db: None, api: Api) -> None:
    """The look-up sees the rows of its beginning: a request that ends just then holds neither lock nor visible row."""
    answers: list[HttpResponse] = []

    def let_another_finish(execute: Any, sql: str, *rest: Any) -> Any:
        if "INSERT INTO cases_idempotentanswer" in sql and not answers:
            with ThreadPoolExecutor(1) as pool:
                answers.append(pool.submit(run_in_thread, answer_without_the_lock).result(timeout=30))
        return execute(sql, *rest)

    def answer_without_the_lock() -> HttpResponse:
        with connection.execute_wrapper(take_another_lock):
            return open_case(Api(api.client, api.key))

    def take_another_lock(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        if "pg_try_advisory_xact_lock" in sql:
            params = params | {"lock": 1}
        return execute(sql, params, *rest)

    with connection.execute_wrapper(let_another_finish):
        beaten = open_case(api)

    assert (answers[0].status_code, is_replay(answers[0])) == (201, False)
    assert (beaten.content, is_replay(beaten)) == (answers[0].content, True)
    assert (Case.objects.count(), CaseEvent.objects.count(), IdempotentAnswer.objects.count()) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_of_two_answers_to_a_question_under_two_keys_one_is_taken(transactional_db: None, api: Api) -> None:
    case, question = make_waiting_case(api)
    start = Barrier(2)

    def send(key: str) -> HttpResponse:
        start.wait()
        return give_input(Api(api.client, api.key), case, question, key, key)

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(run_in_thread, lambda key=key: send(key)) for key in ("Yes", "No")]  # type: ignore[misc]
        statuses = sorted(future.result(timeout=30).status_code for future in futures)

    assert statuses == [202, 409]
    assert CaseEvent.objects.count() == IdempotentAnswer.objects.count() == 1
