"""What the mailbox shows of cases: the sample cases, what a case does beside its mail, and the passing of its time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client as HttpClient

from agentmail.sandbox.beside import Note
from agentmail.sandbox.models import Inbox, Thread
from cases import ledger
from cases.api.serializers import read_new_case
from cases.models import AgentRun, Case, CaseEvent, Client, InputRequest
from cases.sandbox.panel import BESIDE
from cases.sandbox.samples import SAMPLES, compose_case
from cases.workflow import EventKind
from tests.cases.factories import CaseFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("offload.sandbox_urls")]

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
THREAD = UUID("de68228e-5d5c-4eba-aab4-149153bcce4d")


def make_case(**values: Any) -> Case:
    """Makes a case with its conversation at the provider."""
    inbox = Inbox.objects.create(inbox_id="agent@offload.example", created_at=NOW, updated_at=NOW)
    Thread.objects.create(thread_id=THREAD, inbox=inbox, subject="W-9", last_message_at=NOW, created_at=NOW)
    return CaseFactory.create(thread_id=str(THREAD), **{"status": "RUNNING", "attempt_count": 1} | values)


def read_page(path: str = f"/sandbox/threads/{THREAD}/") -> str:
    answer = HttpClient().get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def read_text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.mark.parametrize("key", list(SAMPLES))
def test_a_sample_case_opens_as_the_api_would_open_it(key: str) -> None:
    answer = HttpClient().post("/sandbox/cases", {"sample": key})

    case = Case.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sandbox/cases/{case.id}/")
    assert (case.status, case.objective, case.client.name) == ("CREATED", SAMPLES[key].objective, "Sandbox mailbox")
    assert list(case.events.values_list("kind", "status")) == [("CASE_CREATED", "ready")]


@pytest.mark.parametrize("key", list(SAMPLES))
def test_what_a_sample_opens_is_what_post_cases_would_take(key: str) -> None:
    sample = compose_case(SAMPLES[key], number="a1b2c3")
    body = {
        "channel": "EMAIL",
        "goal": {"objective": sample.objective, "knowledge": sample.knowledge},
        "counterparty": {
            "address": sample.counterparty_address,
            "name": sample.counterparty_name,
            "company": sample.counterparty_company,
        },
        "senderPersona": {
            "name": sample.persona_name,
            "role": sample.persona_role,
            "company": sample.persona_company,
        },
        "clientReferenceId": sample.client_reference_id,
        "resultSchema": sample.result_schema,
        "clientWebhookUrl": sample.client_webhook_url,
    }

    assert read_new_case(body) == sample


def test_each_start_opens_another_case_to_another_address_of_one_client() -> None:
    for _ in range(2):
        HttpClient().post("/sandbox/cases", {"sample": "w9"})

    assert len(set(Case.objects.values_list("counterparty_address", flat=True))) == 2
    assert Client.objects.count() == 1


@pytest.mark.parametrize("form", [{}, {"sample": ""}, {"sample": "other"}, {"sample": "w9\x00"}])
def test_an_unknown_sample_opens_nothing(form: dict[str, str]) -> None:
    assert HttpClient().post("/sandbox/cases", form).status_code == 404
    assert not Case.objects.exists()
    assert not Client.objects.exists()


def test_a_form_of_another_origin_opens_nothing_and_moves_no_clock() -> None:
    case = make_case()
    stranger = HttpClient(enforce_csrf_checks=True)

    assert stranger.post("/sandbox/cases", {"sample": "w9"}).status_code == 403
    assert stranger.post(f"/sandbox/cases/{case.id}/wait", {"hours": "1"}).status_code == 403

    case.refresh_from_db()
    assert (Case.objects.count(), case.clock_offset) == (1, timedelta(0))


def test_the_page_of_a_new_case_becomes_its_conversation_once_the_first_mail_is_out() -> None:
    HttpClient().post("/sandbox/cases", {"sample": "w9"})
    case = Case.objects.get()
    path = f"/sandbox/cases/{case.id}/"
    assert "The agent is writing its first mail." in read_text(read_page(path))

    Case.objects.update(thread_id=str(THREAD))

    answer = HttpClient().get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/sandbox/threads/{THREAD}/")
    assert HttpClient().get(f"/sandbox/cases/{uuid4()}/").status_code == 404


@pytest.mark.parametrize("hours", ["1", "24", "72"])
def test_a_button_lets_time_pass_for_this_case_alone(hours: str) -> None:
    case, other = make_case(), CaseFactory.create()

    answer = HttpClient().post(f"/sandbox/cases/{case.id}/wait", {"hours": hours})

    assert answer.headers["Location"] == f"/sandbox/threads/{THREAD}/?notice=waited#latest"
    assert "Time has passed for this case." in read_page(answer.headers["Location"])
    case.refresh_from_db()
    other.refresh_from_db()
    assert (case.clock_offset, other.clock_offset) == (timedelta(hours=int(hours)), timedelta(0))


@pytest.mark.parametrize("hours", ["", "2", "-1", "1e9", "٣"])
def test_a_span_that_the_page_does_not_offer_moves_no_clock(hours: str) -> None:
    case = make_case()

    assert HttpClient().post(f"/sandbox/cases/{case.id}/wait", {"hours": hours}).status_code == 404

    case.refresh_from_db()
    assert case.clock_offset == timedelta(0)


def test_the_time_of_an_ended_case_stands_still_and_the_page_says_so() -> None:
    case = make_case(status="COMPLETED", result_status="goal_achieved")

    answer = HttpClient().post(f"/sandbox/cases/{case.id}/wait", {"hours": "1"})

    assert answer.headers["Location"].endswith("?notice=ended#latest")
    case.refresh_from_db()
    assert case.clock_offset == timedelta(0)


@pytest.mark.parametrize(("values", "offers"), [({}, 1), ({"status": "FAILED", "result_status": "cancelled"}, 0)])
def test_only_a_case_that_lives_offers_to_let_time_pass(values: dict[str, str], offers: int) -> None:
    make_case(**values)

    assert read_page().count("Let time pass for this case") == offers


def record(case: Case, **values: Any) -> CaseEvent:
    key = f"key:{uuid4()}"
    ledger.record(case_id=case.id, kind=values.pop("kind", EventKind.REPLY_RECEIVED), key=key, payload={})
    finished_at = NOW if values["status"] == "done" else None
    CaseEvent.objects.filter(key=key).update(finished_at=finished_at, **values)
    return CaseEvent.objects.get(key=key)


def test_beside_the_mail_stands_what_the_case_does_and_why() -> None:
    case = make_case(objective="<b>W-9</b>", next_action="follow_up", next_action_at=NOW, due_at=NOW)
    record(case, kind=EventKind.CASE_CREATED, status="done", summary="The first message was sent.")
    event = record(case, status="done", summary="An answer was sent.")
    AgentRun.objects.create(
        case=case,
        event=event,
        operation="evaluate",
        decision={},
        rationale="Still missing: <taxId>.",
        implementation="offline",
        created_at=NOW,
    )

    page = read_page()

    text = read_text(page)
    assert "&lt;b&gt;W-9&lt;/b&gt;" in page
    assert "RUNNING It waits for your reply." in text
    assert "Next follow-up Tue 24 Nov, 10:00" in text
    assert text.index("An answer was sent.") < text.index("The first message was sent.")
    assert "Why: Still missing: &lt;taxId&gt;." in page
    assert f"http://127.0.0.1:8000/admin/cases/case/{case.id}/change/" in page


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"status": "COMPLETED", "result_status": "goal_achieved"},
            "The goal is achieved, and the client has its result.",
        ),
        ({"status": "FAILED", "result_status": "max_retries"}, "The follow-ups are used up, and nobody has answered."),
        (
            {"status": "FAILED", "result_status": "send_failed", "failure_reason": "No such domain."},
            "FAILED No such domain.",
        ),
        ({"paused_at": NOW}, "A human of ours has paused it: mail is recorded, and nothing is sent."),
        (
            {"next_action": "recheck", "next_action_at": NOW, "due_at": NOW},
            "It waits until the day that you named, and looks again then.",
        ),
    ],
)
def test_one_sentence_says_what_the_case_is_at(values: dict[str, Any], sentence: str) -> None:
    make_case(**values)

    assert sentence in read_text(read_page())


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        ("ready", "", "Waits for a worker."),
        ("running", "", "A worker is at it."),
        ("ready", "the model is away", "Is tried again: the model is away"),
    ],
)
def test_unfinished_work_shows_as_work(status: str, error: str, said: str) -> None:
    case = make_case()
    record(case, status=status, last_error=error, attempt=1, lease_until=NOW if status == "running" else None)

    text = read_text(read_page())

    assert "The agent is at work." in text
    assert f"Your reply arrived {CaseEvent.objects.get().created_at:%H:%M:%S} {said}" in text


def test_a_question_and_a_result_are_shown_in_words() -> None:
    case = make_case(
        status="INPUT_NEEDED",
        result={"taxId": "12-3456789", "sums": [1, 2]},
        result_schema={"properties": {"taxId": {"title": "Tax ID"}, "sums": 5}},
    )
    InputRequest.objects.create(case=case, question="Which year?", requested_at=NOW)

    text = read_text(read_page())

    assert "The agent asks: Which year?" in text
    assert "sums [ 1, 2 ] Tax ID 12-3456789" in text


def test_a_conversation_without_a_case_shows_the_mail_alone() -> None:
    case = make_case()
    Case.objects.filter(pk=case.pk).update(thread_id="")

    assert "What the case does" not in read_page()


def test_the_list_says_of_each_conversation_what_its_case_is_at() -> None:
    make_case(status="COMPLETED", result_status="goal_achieved")

    assert BESIDE.note_threads([str(THREAD), "unknown"]) == {str(THREAD): Note("completed", "good")}
