"""`POST /sandbox/advance`: time passes for one live case or for all, and what cannot be meant is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client as HttpClient

from cases import ledger
from cases.workflow import EventKind
from tests.cases.factories import CaseFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("offload.sandbox_urls")]

NO_CASE = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
THREAD = UUID("de68228e-5d5c-4eba-aab4-149153bcce4d")


def advance(body: Any) -> tuple[int, dict[str, Any]]:
    answer = HttpClient().post("/sandbox/advance", json.dumps(body), content_type="application/json")
    return answer.status_code, json.loads(answer.content)


def test_one_case_or_all_live_ones_move_on() -> None:
    first, second = CaseFactory.create(), CaseFactory.create()

    assert advance({"hours": 1, "caseId": str(first.id)}) == (200, {"advanced": [str(first.id)]})
    status, answer = advance({"hours": 0.5})

    assert (status, sorted(answer["advanced"])) == (200, sorted([str(first.id), str(second.id)]))
    first.refresh_from_db()
    assert first.clock_offset == timedelta(hours=1.5)


def test_a_case_that_is_not_there_or_has_ended_is_refused_with_the_reason() -> None:
    ended = CaseFactory.create(status="COMPLETED", result_status="goal_achieved")

    missing = advance({"hours": 1, "caseId": str(NO_CASE)})
    over = advance({"hours": 1, "caseId": str(ended.id)})

    assert (missing[0], missing[1]["error"]["message"]) == (400, "caseId: names no case")
    assert (over[0], over[1]["error"]["message"]) == (400, "caseId: names a case that has ended as COMPLETED")


@pytest.mark.parametrize(
    "body", [{}, {"hours": 0}, {"hours": -1}, {"hours": 9000}, {"hours": "x"}, {"hours": 1, "x": 1}, []]
)
def test_a_body_that_means_nothing_is_refused_and_moves_no_clock(body: Any) -> None:
    case = CaseFactory.create()

    assert advance(body)[0] == 400

    case.refresh_from_db()
    assert case.clock_offset == timedelta(0)


def test_a_form_of_another_page_cannot_move_a_clock() -> None:
    assert HttpClient().post("/sandbox/advance", {"hours": 1}).status_code == 415


@pytest.mark.parametrize("path", ["/", "/sandbox"])
def test_what_people_type_leads_to_the_mailbox(path: str) -> None:
    answer = HttpClient().get(path)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/sandbox/")


def view_case(thread_id: str, accept: str = "application/json") -> Any:
    return HttpClient().get("/sandbox/case", {"thread_id": thread_id}, headers={"accept": accept})


def test_the_live_view_tells_what_the_case_of_a_thread_does() -> None:
    case = CaseFactory.create(status="RUNNING", attempt_count=1, thread_id="thread-1")
    ledger.record(
        case_id=case.id, kind=EventKind.CASE_CREATED, key="created:1", payload={}, summary="Sent.", born_done=True
    )

    view = json.loads(view_case("thread-1").content)

    assert (view["caseId"], view["status"], view["attemptCount"], view["hasEnded"]) == (
        str(case.id),
        "RUNNING",
        1,
        False,
    )
    assert [(event["kind"], event["status"], event["summary"]) for event in view["events"]] == [
        ("CASE_CREATED", "done", "Sent.")
    ]


def test_a_browser_is_led_from_the_live_view_to_the_conversation() -> None:
    CaseFactory.create(status="RUNNING", attempt_count=1, thread_id=str(THREAD))

    answer = view_case(str(THREAD), "text/html")

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/sandbox/threads/{THREAD}/")


@pytest.mark.parametrize("thread_id", ["", "unknown", "\x00"])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_thread_that_no_case_knows_is_not_found(thread_id: str, accept: str) -> None:
    CaseFactory.create()

    assert view_case(thread_id, accept).status_code == 404
