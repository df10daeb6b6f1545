"""Answering a question on the page of its case: stored once, logged, and told who was first."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client as HttpClient

from cases.models import Case, CaseEvent, InputRequest
from tests.cases.admin.conftest import make_page_url, send_answer, sign_in
from tests.cases.factories import CaseFactory

NOW = datetime(2026, 11, 24, 15, 4, tzinfo=UTC)


def test_an_answer_is_stored_queued_and_logged(support: HttpClient, waiting_case: Case) -> None:
    with time_machine.travel(NOW, tick=False):
        response = send_answer(support, waiting_case, "  The new one.\r\nAsk for a PDF. ")

    assert (response.status_code, response.headers["Location"]) == (302, make_page_url(waiting_case))
    question = InputRequest.objects.get()
    assert (question.status, question.answer, question.answered_by, question.resolved_at) == (
        "RESOLVED",
        "The new one.\r\nAsk for a PDF.",
        "sam",
        NOW,
    )
    event = CaseEvent.objects.get()
    assert (event.kind, event.key) == ("INPUT_PROVIDED", f"input:{question.id}")
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_id, entry.get_change_message()) == (
        "sam",
        str(waiting_case.id),
        "Answered the question.",
    )
    page = support.get(make_page_url(waiting_case)).content.decode()
    assert "Your answer is stored, and the case goes on with it." in page
    assert "<textarea" not in page


@pytest.mark.parametrize("answer", ["", "  \n ", "a\x00b"])
def test_an_answer_that_says_nothing_is_refused_on_the_page(
    support: HttpClient, waiting_case: Case, answer: str
) -> None:
    response = send_answer(support, waiting_case, answer)

    assert response.status_code == 400
    page = response.content.decode()
    assert 'id="id_answer_error"' in page
    assert 'aria-describedby="id_answer_helptext id_answer_error"' in page
    assert_unanswered(waiting_case)


def test_an_answer_that_is_too_long_is_refused_and_given_back(support: HttpClient, waiting_case: Case) -> None:
    response = send_answer(support, waiting_case, "x" * 20_001)

    page = response.content.decode()
    assert response.status_code == 400
    assert "at most 20000 characters" in page
    assert "x" * 20_001 in page
    assert_unanswered(waiting_case)


def test_the_second_of_two_people_is_told_who_was_first_and_keeps_their_text(
    support: HttpClient, waiting_case: Case
) -> None:
    other = sign_in("olga", "cases.view_case", "cases.answer_case")
    with time_machine.travel(NOW, tick=False):
        send_answer(support, waiting_case, "The new one.")

        response = send_answer(other, waiting_case, "The old one, I think.")

    page = response.content.decode()
    assert response.status_code == 409
    assert "Your answer was not stored: sam answered first, 24 Nov 2026, 15:04 UTC." in page
    assert "Your answer, which was not stored" in page
    assert "The old one, I think." in page
    assert InputRequest.objects.get().answer == "The new one."
    assert (CaseEvent.objects.count(), LogEntry.objects.count()) == (1, 1)


def test_an_answer_after_the_case_went_on_says_who_was_first(support: HttpClient) -> None:
    case = CaseFactory.create(status="RUNNING", attempt_count=1)
    InputRequest.objects.create(
        case=case,
        question="?",
        requested_at=NOW,
        status="RESOLVED",
        resolved_at=NOW,
        answer="Yes",
        answered_by="API: Acme",
    )

    response = send_answer(support, case, "No")

    assert response.status_code == 409
    assert "API: Acme answered first, 24 Nov 2026, 15:04 UTC." in response.content.decode()
    assert (CaseEvent.objects.count(), LogEntry.objects.count()) == (0, 0)


def test_an_answer_to_a_case_that_ended_says_so(support: HttpClient) -> None:
    case = CaseFactory.create(status="FAILED", result_status="cancelled")
    InputRequest.objects.create(case=case, question="?", requested_at=NOW, status="RESOLVED", resolved_at=NOW)

    response = send_answer(support, case, "No")

    assert response.status_code == 409
    assert "the case does not wait for an answer any more" in response.content.decode()


@pytest.mark.parametrize("question_id", ["00000000-0000-4000-8000-000000000000", "nonsense", "x" * 64])
def test_an_answer_to_another_question_is_not_given_to_this_one(
    support: HttpClient, waiting_case: Case, question_id: str
) -> None:
    response = send_answer(support, waiting_case, "Yes", question_id=question_id)

    page = response.content.decode()
    assert response.status_code == 409
    assert "the case has another question by now" in page
    assert "Old name or new name?" in page
    assert_unanswered(waiting_case)


def test_opening_the_address_of_the_form_leads_to_the_page(support: HttpClient, waiting_case: Case) -> None:
    response = support.get(f"/admin/cases/case/{waiting_case.id}/answer/")

    assert (response.status_code, response.headers["Location"]) == (302, make_page_url(waiting_case))
    assert_unanswered(waiting_case)


def test_the_form_says_who_may_read_the_answer(support: HttpClient, waiting_case: Case) -> None:
    page = support.get(make_page_url(waiting_case)).content.decode()

    assert "Maya may read these words: an answer to a question of theirs is sent to them as you write it." in page
    assert 'aria-describedby="id_answer_helptext"' in page
    assert 'id="id_answer_helptext"' in page


def test_an_answered_case_asks_nobody_and_looks_again_by_itself(support: HttpClient, waiting_case: Case) -> None:
    before = support.get(make_page_url(waiting_case))
    send_answer(support, waiting_case)

    after = support.get(make_page_url(waiting_case))
    Case.objects.filter(pk=waiting_case.pk).update(status="RUNNING")
    later = support.get(make_page_url(waiting_case))

    page = after.content.decode()
    assert '<span class="chip chip-live">Answered; the agent goes on with it</span>' in page
    assert "Waits for a person to answer" not in page
    assert "chip-human" not in page
    assert [response.headers.get("Refresh") for response in (before, after, later)] == [None, "3", None]


def test_a_page_with_an_answer_that_was_not_stored_stays(support: HttpClient, waiting_case: Case) -> None:
    send_answer(support, waiting_case, "The new one.")

    response = send_answer(support, waiting_case, "The old one.")

    assert response.status_code == 409
    assert "Refresh" not in response.headers


def assert_unanswered(case: Case) -> None:
    question = InputRequest.objects.get(case=case)
    assert (question.status, question.answer) == ("PENDING", "")
    assert (CaseEvent.objects.count(), LogEntry.objects.count()) == (0, 0)
