"""A step that was given up stands before a person: who may put it back, who may end the case, and who was first."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext

from cases import services
from cases.models import Case, CaseEvent
from tests.cases.admin.conftest import make_page_url, sign_in
from tests.cases.factories import CaseFactory
from webhooks.models import Delivery

NOW = datetime(2026, 11, 24, 15, 4, tzinfo=UTC)
DIED_AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def case(db: None) -> Case:
    return CaseFactory.create(status="RUNNING", attempt_count=1, client_webhook_url="https://app.example/hook")


@pytest.fixture
def event(case: Case) -> CaseEvent:
    return make_dead(case)


@pytest.fixture
def operator(db: None) -> HttpClient:
    return sign_in("olga", "cases.view_case", "cases.requeue_event", "cases.give_up_event")


def make_dead(case: Case, reason: str = "ValueError: broken", died_at: datetime = DIED_AT) -> CaseEvent:
    return CaseEvent.objects.create(
        case=case,
        kind="REPLY_RECEIVED",
        key=f"reply:{case.id}:{reason}",
        payload_hash="",
        status="dead",
        failures=5,
        attempt=5,
        last_error=reason,
        run_after=died_at,
        created_at=died_at,
        finished_at=died_at,
    )


def make_url(event: CaseEvent, action: str) -> str:
    return f"/admin/cases/case/{event.case_id}/steps/{event.pk}/{action}/"


def read_status(event: CaseEvent) -> str:
    event.refresh_from_db()
    return event.status


def assert_untouched(event: CaseEvent) -> None:
    assert read_status(event) == "dead"
    assert Case.objects.get(pk=event.case_id).status == "RUNNING"
    assert (LogEntry.objects.count(), Delivery.objects.count()) == (0, 0)


def test_the_page_says_why_and_until_when_and_offers_both_ways_out(operator: HttpClient, event: CaseEvent) -> None:
    page = operator.get(make_page_url(event.case)).content.decode()

    assert "ValueError: broken" in page
    assert "If nobody acts, the case ends 27 Nov 2026, 10:00 UTC." in page
    assert f'action="{make_url(event, "requeue")}"' in page
    assert f'href="{make_url(event, "give-up")}"' in page


def test_requeue_puts_the_step_back_and_is_on_record(operator: HttpClient, event: CaseEvent) -> None:
    response = operator.post(make_url(event, "requeue"))

    assert (response.status_code, response.headers["Location"]) == (302, make_page_url(event.case))
    event.refresh_from_db()
    assert (event.status, event.failures) == ("ready", 0)
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_id) == ("olga", str(event.case_id))
    page = operator.get(make_page_url(event.case)).content.decode()
    assert "The step is put back; a worker takes it up now." in page
    assert "Put back the step “Mail received”." in page
    assert "Stuck" not in page


def test_giving_up_asks_first_and_changes_nothing_by_asking(operator: HttpClient, event: CaseEvent) -> None:
    page = operator.get(make_url(event, "give-up")).content.decode()

    assert "ValueError: broken" in page
    assert "its client is told" in page
    assert_untouched(event)


def test_giving_up_ends_the_case_tells_the_client_and_is_on_record(operator: HttpClient, event: CaseEvent) -> None:
    with time_machine.travel(NOW, tick=False):
        response = operator.post(make_url(event, "give-up"))

    assert response.headers["Location"] == make_page_url(event.case)
    case = Case.objects.get(pk=event.case_id)
    assert (case.status, case.result_status) == ("FAILED", "evaluation_failed")
    assert case.failure_reason == "Given up by olga after it had failed 5 times: ValueError: broken"
    assert Delivery.objects.get().event_type == "case.failed"
    assert LogEntry.objects.get().get_change_message() == "Ended the case over the step “Mail received”."


@pytest.mark.parametrize("action", ["requeue", "give-up"])
def test_the_second_of_two_people_is_told_who_was_first(action: str, operator: HttpClient, event: CaseEvent) -> None:
    kim = sign_in("kim", "cases.view_case", "cases.requeue_event", "cases.give_up_event")
    with time_machine.travel(NOW, tick=False):
        kim.post(make_url(event, action))

    response = operator.post(make_url(event, action))

    (message,) = get_messages(response.wsgi_request)
    assert "kim was first, 24 Nov 2026, 15:04 UTC." in str(message)
    assert LogEntry.objects.count() == 1
    assert Delivery.objects.count() == (1 if action == "give-up" else 0)


@pytest.mark.parametrize(
    ("permissions", "action"),
    [
        (("cases.view_case", "cases.answer_case", "cases.requeue_event"), "give-up"),
        (("cases.view_case", "cases.answer_case", "cases.give_up_event"), "requeue"),
        (("cases.view_case",), "requeue"),
        (("cases.view_case",), "give-up"),
        (("cases.requeue_event", "cases.give_up_event"), "requeue"),
        (("cases.requeue_event", "cases.give_up_event"), "give-up"),
    ],
)
def test_each_action_needs_its_own_permission(permissions: tuple[str, ...], action: str, event: CaseEvent) -> None:
    browser = sign_in("nora", *permissions)

    responses = [browser.get(make_url(event, action)), browser.post(make_url(event, action))]

    assert [response.status_code for response in responses] == [403, 403]
    assert_untouched(event)


def test_who_may_do_neither_sees_the_step_and_no_button(reader: HttpClient, event: CaseEvent) -> None:
    page = reader.get(make_page_url(event.case)).content.decode()

    assert "ask an operator" in page
    assert "/steps/" not in page


@pytest.mark.parametrize("action", ["requeue", "give-up"])
def test_an_action_is_worth_nothing_without_its_token(action: str, operator: HttpClient, event: CaseEvent) -> None:
    careless = HttpClient(enforce_csrf_checks=True)
    careless.cookies = operator.cookies

    assert careless.post(make_url(event, action)).status_code == 403
    assert_untouched(event)


def test_a_link_that_somebody_follows_asks_and_puts_nothing_back(operator: HttpClient, event: CaseEvent) -> None:
    response = operator.get(make_url(event, "requeue"))

    assert "Try this step again" in response.content.decode()
    assert_untouched(event)


@pytest.mark.parametrize("action", ["requeue", "give-up"])
def test_a_question_about_a_step_that_goes_on_leads_back_to_the_case(
    action: str, operator: HttpClient, event: CaseEvent
) -> None:
    services.requeue_event(event.pk)

    response = operator.get(make_url(event, action))

    assert response.headers["Location"] == make_page_url(event.case)


@pytest.mark.parametrize("action", ["requeue", "give-up"])
@pytest.mark.parametrize("pk", [0, 2**63])
def test_a_step_that_is_not_there_leads_back_to_the_case(
    pk: int, action: str, operator: HttpClient, event: CaseEvent
) -> None:
    response = operator.post(f"/admin/cases/case/{event.case_id}/steps/{pk}/{action}/")

    assert response.headers["Location"] == make_page_url(event.case)
    assert_untouched(event)


@pytest.mark.parametrize("action", ["requeue", "give-up"])
def test_a_step_of_another_case_is_not_reached_through_this_one(
    action: str, operator: HttpClient, event: CaseEvent
) -> None:
    other = CaseFactory.create(status="RUNNING")

    operator.post(f"/admin/cases/case/{other.pk}/steps/{event.pk}/{action}/")

    assert_untouched(event)


def test_a_case_that_ended_meanwhile_is_not_asked_about(operator: HttpClient, event: CaseEvent) -> None:
    Case.objects.update(status="COMPLETED", result_status="goal_achieved")

    response = operator.get(make_url(event, "give-up"))

    assert response.headers["Location"] == make_page_url(event.case)
    assert Case.objects.get().status == "COMPLETED"


def test_what_went_wrong_is_shown_as_text(operator: HttpClient, case: Case) -> None:
    event = make_dead(case, "<script>alert(1)</script>")

    pages = [operator.get(url).content.decode() for url in (make_page_url(case), make_url(event, "give-up"), "/admin/")]

    assert not any("<script>alert" in page for page in pages)
    assert all("&lt;script&gt;alert" in page for page in pages)


def test_the_overview_names_the_steps_that_end_their_cases_first(operator: HttpClient) -> None:
    for day in range(10, 17):
        case = CaseFactory.create(status="RUNNING", counterparty_name=f"Person {day}")
        make_dead(case, died_at=datetime(2026, 11, day, 9, 0, tzinfo=UTC))
    ended = CaseFactory.create(status="FAILED", result_status="evaluation_failed", counterparty_name="Person 1")
    make_dead(ended, died_at=datetime(2026, 11, 1, 9, 0, tzinfo=UTC))

    page = operator.get("/admin/").content.decode()

    shown = [
        name
        for name in (f"Person {day}" for day in range(1, 17))
        if f'">Look<span class="visually-hidden">: {name}, ' in page
    ]
    assert shown == ["Person 10", "Person 11", "Person 12", "Person 13", "Person 14"]
    assert "13 Nov 2026, 09:00 UTC" in page


def test_who_may_not_see_cases_reads_none_on_the_overview(event: CaseEvent) -> None:
    assert "Mail received" not in sign_in("nora").get("/admin/").content.decode()


def test_the_page_costs_the_same_queries_with_one_given_up_step_and_with_five(operator: HttpClient) -> None:
    counts = []
    for steps in (1, 5):
        case = CaseFactory.create(status="RUNNING")
        for number in range(steps):
            make_dead(case, f"reason {number}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            operator.get(make_page_url(case))
        counts.append(len(queries))

    assert counts[0] == counts[1]
