"""POST /cases/{id}/input: who may answer a question, when, and exactly once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connections

from cases.models import Case, CaseEvent, InputRequest
from tests.cases.api.conftest import Api, read_data, read_error
from tests.cases.factories import CaseFactory

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def ask(case: Case, question: str = "May Maya send it by post?") -> InputRequest:
    return InputRequest.objects.create(case=case, question=question, requested_at=NOW)


def make_waiting_case(api: Api) -> tuple[Case, InputRequest]:
    case = CaseFactory.create(client=api.client, status="INPUT_NEEDED", attempt_count=1)
    return case, ask(case)


def test_an_answer_is_stored_and_queued_at_once(api: Api) -> None:
    case, question = make_waiting_case(api)

    with time_machine.travel(NOW, tick=False):
        response = api.post(
            f"/cases/{case.id}/input", {"inputRequestId": f" {question.id}\n", "providedContext": "  Yes, by post. \n"}
        )

    assert response.status_code == 202
    assert read_data(response) == {"caseId": str(case.id), "inputRequestId": str(question.id), "accepted": True}
    question.refresh_from_db()
    assert (question.status, question.answer, question.answered_by, question.resolved_at) == (
        "RESOLVED",
        "Yes, by post.",
        "API: Acme",
        NOW,
    )
    assert Case.objects.get().status == "INPUT_NEEDED"
    event = CaseEvent.objects.get()
    assert (event.kind, event.key, event.payload) == (
        "INPUT_PROVIDED",
        f"input:{question.id}",
        {"input_request_id": str(question.id)},
    )


def test_the_longest_client_name_still_answers(api: Api) -> None:
    api.client.name = "A" * 200
    api.client.save()
    case, question = make_waiting_case(api)

    response = api.post(f"/cases/{case.id}/input", {"inputRequestId": str(question.id), "providedContext": "Yes"})

    assert response.status_code == 202


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["inputRequestId", "providedContext"]),
        ({"inputRequestId": "x"}, ["providedContext"]),
        ({"inputRequestId": "x", "providedContext": ""}, ["providedContext"]),
        ({"inputRequestId": "x", "providedContext": " \n"}, ["providedContext"]),
        ({"inputRequestId": "x", "providedContext": 5}, ["providedContext"]),
        ({"inputRequestId": "x", "providedContext": None}, ["providedContext"]),
        ({"inputRequestId": "x", "providedContext": {"text": "Yes"}}, ["providedContext"]),
        ({"inputRequestId": "x", "providedContext": "x" * 20_001}, ["providedContext"]),
        ({"inputRequestId": "  ", "providedContext": "Yes"}, ["inputRequestId"]),
        ({"inputRequestId": 7, "providedContext": "Yes"}, ["inputRequestId"]),
        ({"inputRequestId": "x" * 201, "providedContext": "Yes"}, ["inputRequestId"]),
    ],
)
def test_a_faulty_answer_is_named_and_changes_nothing(api: Api, body: dict[str, Any], fields: list[str]) -> None:
    case, question = make_waiting_case(api)

    response = api.post(f"/cases/{case.id}/input", body)

    error = read_error(response)
    assert (response.status_code, error["code"]) == (400, "INVALID_REQUEST")
    assert [fault["field"] for fault in error["details"]] == fields
    assert_unanswered(question)


@pytest.mark.parametrize("status", ["CREATED", "RUNNING", "COMPLETED", "FAILED"])
def test_a_case_that_does_not_wait_takes_no_answer(api: Api, status: str) -> None:
    ended = "goal_achieved" if status in ("COMPLETED", "FAILED") else ""
    case = CaseFactory.create(client=api.client, status=status, result_status=ended)

    response = api.post(f"/cases/{case.id}/input", {"inputRequestId": str(uuid4()), "providedContext": "Yes"})

    assert response.status_code == 409
    assert read_error(response)["code"] == "CASE_NOT_WAITING_FOR_INPUT"
    assert CaseEvent.objects.count() == 0


def test_an_id_that_is_not_the_active_questions_is_a_mismatch(api: Api) -> None:
    case, question = make_waiting_case(api)
    _, elsewhere = make_waiting_case(api)

    for wrong_id in (str(elsewhere.id), str(uuid4()), "x", str(question.id).upper()):
        response = api.post(f"/cases/{case.id}/input", {"inputRequestId": wrong_id, "providedContext": "Yes"})

        assert response.status_code == 409
        assert read_error(response)["code"] == "INPUT_REQUEST_MISMATCH"
    assert_unanswered(question)
    assert_unanswered(elsewhere)


def test_a_question_is_answered_once(api: Api) -> None:
    case, question = make_waiting_case(api)
    body = {"inputRequestId": str(question.id), "providedContext": "First"}
    api.post(f"/cases/{case.id}/input", body)

    response = api.post(f"/cases/{case.id}/input", body | {"providedContext": "Second"})

    assert response.status_code == 409
    assert read_error(response)["code"] == "INPUT_REQUEST_NOT_PENDING"
    question.refresh_from_db()
    assert question.answer == "First"
    assert CaseEvent.objects.count() == 1


def test_a_wrong_id_is_told_before_that_the_question_was_answered(api: Api) -> None:
    case, question = make_waiting_case(api)
    api.post(f"/cases/{case.id}/input", {"inputRequestId": str(question.id), "providedContext": "First"})

    response = api.post(f"/cases/{case.id}/input", {"inputRequestId": str(uuid4()), "providedContext": "Second"})

    assert (response.status_code, read_error(response)["code"]) == (409, "INPUT_REQUEST_MISMATCH")
    assert CaseEvent.objects.count() == 1


def test_another_client_cannot_answer(api: Api, other_api: Api) -> None:
    case, question = make_waiting_case(api)

    response = other_api.post(f"/cases/{case.id}/input", {"inputRequestId": str(question.id), "providedContext": "Yes"})

    assert response.status_code == 403
    assert read_error(response)["code"] == "FORBIDDEN"
    assert_unanswered(question)


@pytest.mark.django_db(transaction=True)
def test_of_two_answers_in_the_same_instant_exactly_one_is_taken(transactional_db: None, api: Api) -> None:
    case, question = make_waiting_case(api)
    start = Barrier(2)

    def send(text: str) -> tuple[int, str]:
        start.wait()
        try:
            response = Api(api.client, api.key).post(
                f"/cases/{case.id}/input", {"inputRequestId": str(question.id), "providedContext": text}
            )
        finally:
            connections.close_all()
        return response.status_code, text

    with ThreadPoolExecutor(2) as both:
        answers = dict(both.map(send, ["Yes", "No"]))

    assert sorted(answers) == [202, 409]
    question.refresh_from_db()
    assert question.answer == answers[202]
    assert CaseEvent.objects.count() == 1


def assert_unanswered(question: InputRequest) -> None:
    question.refresh_from_db()
    assert (question.status, question.answer, question.answered_by) == ("PENDING", "", "")
    assert CaseEvent.objects.filter(kind="INPUT_PROVIDED").count() == 0
