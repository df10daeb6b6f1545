"""The pages of the actions: each asks first, does it once, leaves an audit entry, and refuses in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as HttpClient

from cases.admin.actions.catalogue import ACTIONS
from cases.models import Case, CaseEvent, CaseNote, InputRequest
from tests.cases.admin.conftest import make_page_url, sign_in
from tests.cases.factories import OPENED_AT, CaseFactory, make_api_key

EVERY_RIGHT = ("cases.view_case", *{action.permission for action in ACTIONS})


@pytest.fixture
def staff(db: None) -> HttpClient:
    return sign_in("sam", *EVERY_RIGHT)


@pytest.fixture
def case(db: None) -> Case:
    """A running case that has heard from its counterparty."""
    case = CaseFactory.create(
        status="RUNNING", attempt_count=1, next_action="follow_up", next_action_at=OPENED_AT, due_at=OPENED_AT
    )
    add_event(case, "REPLY_RECEIVED", "reply:1")
    return case


def add_event(case: Case, kind: str, key: str, status: str = "done") -> CaseEvent:
    return CaseEvent.objects.create(
        case=case, kind=kind, key=key, status=status, run_after=OPENED_AT, created_at=OPENED_AT, finished_at=OPENED_AT
    )


def make_url(case: Case, name: str) -> str:
    return f"/admin/cases/case/{case.pk}/actions/{name}/"


def send(browser: HttpClient, case: Case, name: str, **typed: Any) -> Any:
    """Presses the button of the page that asks."""
    fields = {"seen_event_id": browser.get(make_url(case, name)).context["form"]["seen_event_id"].value(), **typed}
    return browser.post(make_url(case, name), fields, follow=True)


def get_messages(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


TYPED = {"complete": {"result": '{"w9": "old"}'}, "fail": {"reason": "She will not."}}
NAMES = [action.name for action in ACTIONS if action.name != "resume"]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_first_and_changes_nothing(staff: HttpClient, case: Case, name: str) -> None:
    before = (Case.objects.values().get(), CaseEvent.objects.count())

    response = staff.get(make_url(case, name))

    action = next(action for action in ACTIONS if action.name == name)
    page = response.content.decode()
    assert (response.status_code, action.question in page, action.button in page) == (200, True, True)
    assert "What happens" in page
    assert (Case.objects.values().get(), CaseEvent.objects.count()) == before
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_button_acts_says_so_and_stands_in_the_audit_log(staff: HttpClient, case: Case, name: str) -> None:
    response = send(staff, case, name, **TYPED.get(name, {}))

    action = next(action for action in ACTIONS if action.name == name)
    entry = LogEntry.objects.get()
    assert get_messages(response) == [action.done]
    assert (entry.user.get_username(), entry.object_id) == ("sam", str(case.pk))
    assert entry.get_change_message() in response.content.decode()


def test_what_each_button_does_to_the_case(staff: HttpClient) -> None:
    expected = {
        "pause": ("RUNNING", "", ["CASE_PAUSED"]),
        "follow-up": ("RUNNING", "", ["FOLLOW_UP_DUE"]),
        "reevaluate": ("RUNNING", "", ["REEVALUATION_ASKED"]),
        "complete": ("COMPLETED", "goal_achieved", ["CASE_CLOSED"]),
        "fail": ("FAILED", "failed_rejected", ["CASE_CLOSED"]),
        "cancel": ("FAILED", "cancelled", ["CASE_CANCELLED"]),
    }
    found = {}
    for name in expected:
        case = CaseFactory.create(status="RUNNING", attempt_count=1)
        add_event(case, "REPLY_RECEIVED", f"reply:{name}")
        send(staff, case, name, **TYPED.get(name, {}))
        case.refresh_from_db()
        kinds = list(case.events.exclude(kind="REPLY_RECEIVED").values_list("kind", flat=True))
        found[name] = (case.status, case.result_status, kinds)

    assert found == expected


def test_a_paused_case_offers_to_resume_and_goes_on(staff: HttpClient, case: Case) -> None:
    send(staff, case, "pause")
    page = staff.get(make_page_url(case)).content.decode()

    response = send(staff, case, "resume")

    assert make_url(case, "resume") in page
    assert make_url(case, "pause") not in page
    assert get_messages(response) == ["The case goes on."]
    assert Case.objects.get().paused_at is None


@pytest.mark.parametrize("name", ["pause", "follow-up", "reevaluate"])
def test_a_double_click_acts_once_and_is_logged_once(staff: HttpClient, case: Case, name: str) -> None:
    page = staff.get(make_url(case, name))
    fields = {"seen_event_id": page.context["form"]["seen_event_id"].value()}

    responses = [staff.post(make_url(case, name), fields, follow=True) for _ in range(2)]

    assert get_messages(responses[1]) == ["That had been done already."]
    assert (CaseEvent.objects.count(), LogEntry.objects.count()) == (2, 1)


@pytest.mark.parametrize("name", ["complete", "fail", "cancel"])
def test_the_second_to_end_a_case_is_told_who_was_first(staff: HttpClient, case: Case, name: str) -> None:
    fields = {"seen_event_id": 0, **TYPED.get(name, {})}
    rita = sign_in("rita", *EVERY_RIGHT)
    rita.post(make_url(case, "cancel"), {"seen_event_id": 0})

    response = staff.post(make_url(case, name), fields, follow=True)

    assert get_messages(response) == ["Nothing was done: Cancelled by rita."]
    assert [entry.user.get_username() for entry in LogEntry.objects.all()] == ["rita"]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_action_without_its_permission_is_forbidden(case: Case, action: Any, method: str) -> None:
    others = set(EVERY_RIGHT) - {action.permission}
    browser = sign_in("nora", *others)

    response = getattr(browser, method)(make_url(case, action.name), {"seen_event_id": 0, **TYPED.get(action.name, {})})

    assert response.status_code == 403
    assert make_url(case, action.name) not in browser.get(make_page_url(case)).content.decode()
    case.refresh_from_db()
    assert (case.status, case.paused_at, CaseEvent.objects.count()) == ("RUNNING", None, 1)


def test_a_refused_question_leads_back_with_the_reason(staff: HttpClient, case: Case) -> None:
    Case.objects.update(max_attempts=0)

    response = staff.get(make_url(case, "follow-up"), follow=True)

    reason = "“Send the follow-up now” is not possible: Every follow-up of this case is used: 0 of 0."
    assert get_messages(response) == [reason]
    assert make_url(case, "follow-up") not in response.content.decode()


def test_a_page_that_is_out_of_date_does_nothing(staff: HttpClient, case: Case) -> None:
    seen = staff.get(make_url(case, "follow-up")).context["form"]["seen_event_id"].value()
    add_event(case, "REPLY_RECEIVED", "reply:2")

    response = staff.post(make_url(case, "follow-up"), {"seen_event_id": seen}, follow=True)

    assert "Something has happened in this case since you opened the page." in get_messages(response)[0]
    assert (CaseEvent.objects.count(), LogEntry.objects.count()) == (2, 0)


def test_a_result_that_does_not_fit_is_shown_again_with_the_place(staff: HttpClient, case: Case) -> None:
    schema = {"type": "object", "properties": {"w9": {"enum": ["old", "new"]}}, "required": ["w9"]}
    Case.objects.update(result_schema=schema)

    page = staff.get(make_url(case, "complete"))
    response = staff.post(make_url(case, "complete"), {"seen_event_id": 0, "result": '{"w9": "none"}'})

    assert page.context["form"]["result"].value() == '{\n  "w9": null\n}'
    assert response.status_code == 400
    text = response.content.decode()
    assert "result.w9: &#x27;none&#x27; is not one of [&#x27;old&#x27;, &#x27;new&#x27;]." in text
    assert "{&quot;w9&quot;: &quot;none&quot;}" in text
    assert (Case.objects.get().status, LogEntry.objects.count()) == ("RUNNING", 0)


@pytest.mark.parametrize(
    ("name", "fields"),
    [("fail", {"seen_event_id": 0}), ("pause", {}), ("pause", {"seen_event_id": "x"}), ("fail", {"reason": "a\x00b"})],
)
def test_a_form_that_cannot_be_read_is_asked_again(
    staff: HttpClient, case: Case, name: str, fields: dict[str, Any]
) -> None:
    response = staff.post(make_url(case, name), fields)

    assert response.status_code == 400
    assert Case.objects.get().status == "RUNNING"
    assert Case.objects.get().paused_at is None


def test_closing_with_an_open_question_resolves_it(staff: HttpClient, waiting_case: Case) -> None:
    send(staff, waiting_case, "fail", reason="She called.")

    question = InputRequest.objects.get()
    assert (question.status, question.answer) == ("RESOLVED", "")
    assert Case.objects.get().failure_reason == "She called."


@pytest.mark.parametrize("path", ["not-an-id/actions/pause/", "{id}/actions/explode/"])
def test_an_unknown_case_or_action_leads_to_the_list(staff: HttpClient, case: Case, path: str) -> None:
    response = staff.get(f"/admin/cases/case/{path.format(id=case.pk)}")

    assert (response.status_code, response.headers["Location"]) == (302, "/admin/cases/case/")


# -- Notes


def test_a_note_stands_on_the_page_and_the_client_sees_nothing_of_it(case: Case) -> None:
    browser = sign_in("sam", "cases.view_case", "cases.add_casenote")
    _, key = make_api_key(client=case.client)

    response = browser.post(f"/admin/cases/case/{case.pk}/note/", {"body": " Call her <b>on Monday</b>. "}, follow=True)

    assert get_messages(response) == ["The note is stored. Only staff see it."]
    assert "Call her &lt;b&gt;on Monday&lt;/b&gt;." in response.content.decode()
    assert LogEntry.objects.get().get_change_message() == "Added a note."
    shown = HttpClient().get(f"/cases/{case.pk}?expand=metadata,failureReason", HTTP_X_API_KEY=key).content.decode()
    assert "Monday" not in shown
    assert "paused" not in shown.lower()


def test_the_same_note_sent_twice_is_one_note(case: Case) -> None:
    browser = sign_in("sam", "cases.view_case", "cases.add_casenote")

    for _ in range(2):
        browser.post(f"/admin/cases/case/{case.pk}/note/", {"body": "Call her."})

    assert (CaseNote.objects.count(), LogEntry.objects.count()) == (1, 1)


@pytest.mark.parametrize("body", ["", "   ", "\x00", "x" * 10_001])
def test_a_note_that_says_nothing_or_too_much_is_refused(case: Case, body: str) -> None:
    browser = sign_in("sam", "cases.view_case", "cases.add_casenote")

    response = browser.post(f"/admin/cases/case/{case.pk}/note/", {"body": body}, follow=True)

    assert get_messages(response) == ["The note was not stored: note: write between 1 and 10,000 characters."]
    assert CaseNote.objects.count() == 0


def test_who_may_not_write_notes_is_forbidden(case: Case, reader: HttpClient) -> None:
    response = reader.post(f"/admin/cases/case/{case.pk}/note/", {"body": "Call her."})

    assert (response.status_code, CaseNote.objects.count()) == (403, 0)
