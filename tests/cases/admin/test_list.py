"""The list of cases: what it shows, finds and filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cases import ledger, paging
from cases.admin import search
from cases.models import Case, CaseEvent, InputRequest
from cases.workflow import EventKind
from tests.cases.factories import CaseFactory, ClientFactory

LIST = "/admin/cases/case/"
DUE = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def read_rows(browser: HttpClient, query: str = "") -> list[str]:
    """Returns the text of each row of the list."""
    response = browser.get(LIST + query)
    assert response.status_code == 200
    body = response.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.sub(r"(<[^>]+>\s*)+", " | ", row).strip(" |") for row in body.split("<tr>")[1:]]


def ask(case: Case, asked_at: datetime = DUE, **values: Any) -> InputRequest:
    return InputRequest.objects.create(case=case, question="Which name?", requested_at=asked_at, **values)


def give_up_a_step(case: Case) -> None:
    recorded = ledger.record(case_id=case.id, kind=EventKind.REPLY_RECEIVED, key=f"k:{case.id}", payload={})
    CaseEvent.objects.filter(pk=recorded.event_id).update(status="dead", finished_at=DUE)


def test_a_row_says_what_the_case_is_and_what_comes_next(reader: HttpClient) -> None:
    CaseFactory.create(
        client=ClientFactory.create(name="Acme"),
        status="RUNNING",
        attempt_count=2,
        objective="Get the W-9.\nAs a PDF.",
        counterparty_company="Northstar",
        next_action="follow_up",
        next_action_at=DUE,
        due_at=DUE,
    )

    [row] = read_rows(reader)

    assert row.split(" | ") == [
        "Running",
        "Maya Chen",
        "Northstar",
        "maya@vendor.example",
        "Get the W-9.",
        "Acme",
        "2",
        "Follow-up",
        "1 Dec 2026, 09:30",
        "24 Nov 2026, 10:00",
    ]


def test_only_what_needs_a_person_has_the_colour_for_it(reader: HttpClient) -> None:
    CaseFactory.create(status="RUNNING")
    CaseFactory.create(status="COMPLETED", result_status="goal_achieved")
    CaseFactory.create(status="FAILED", result_status="max_retries")
    quiet = reader.get(LIST).content.decode()
    ask(CaseFactory.create(status="INPUT_NEEDED"))
    stuck = CaseFactory.create(status="RUNNING")
    give_up_a_step(stuck)

    loud = reader.get(LIST).content.decode()

    assert quiet.count("chip-human") == 0
    assert sorted(re.findall(r'chip-human">([^<]+)<', loud)) == ["Needs an answer", "Stuck"]


@pytest.mark.parametrize(
    "words",
    [
        "ref-17",
        "MAYA@vendor",
        "maya c",
        "tax form",
        "{id}",
        "  {id}  ",
        "{hex}",
    ],
)
def test_a_case_is_found(reader: HttpClient, words: str) -> None:
    case = CaseFactory.create(client_reference_id="ref-17", objective="Collect the TAX form")
    CaseFactory.create(counterparty_name="Ben", counterparty_address="ben@else.example", objective="Another")

    rows = read_rows(reader, "?q=" + words.format(id=case.id, hex=case.id.hex))

    assert len(rows) == 1
    assert "Maya Chen" in rows[0]


@pytest.mark.parametrize(
    "words", ["ref-1", "vendor.example", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "%25", "_", "'; DROP TABLE"]
)
def test_what_matches_nothing_finds_nothing(reader: HttpClient, words: str) -> None:
    CaseFactory.create(client_reference_id="ref-17")

    assert read_rows(reader, f"?q={words}") == []


def test_a_search_that_the_database_could_not_read_is_left_out(reader: HttpClient) -> None:
    CaseFactory.create()

    assert len(read_rows(reader, "?q=%00")) == 1


def test_a_reference_that_looks_like_an_id_is_found_too(reader: HttpClient) -> None:
    reference = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    CaseFactory.create(client_reference_id=reference)

    assert len(read_rows(reader, f"?q={reference}")) == 1


def test_the_list_is_filtered_by_status_and_client(reader: HttpClient) -> None:
    acme, other = ClientFactory.create(), ClientFactory.create()
    CaseFactory.create(client=acme, status="RUNNING", counterparty_name="Running of Acme")
    ask(CaseFactory.create(client=acme, status="INPUT_NEEDED", counterparty_name="Waiting of Acme"))
    ask(CaseFactory.create(client=other, status="INPUT_NEEDED", counterparty_name="Waiting of the other"))

    assert len(read_rows(reader)) == 3
    assert len(read_rows(reader, "?state=INPUT_NEEDED")) == 2
    both = read_rows(reader, f"?state=INPUT_NEEDED&client={acme.id}")
    assert len(both) == 1
    assert "Waiting of Acme" in both[0]


def test_the_newest_case_stands_first(reader: HttpClient) -> None:
    for days in (2, 0, 1):
        CaseFactory.create(counterparty_name=f"{days} days ago", created_at=DUE - timedelta(days=days))

    assert [row.split(" | ")[1] for row in read_rows(reader)] == ["0 days ago", "1 days ago", "2 days ago"]


def test_the_number_of_queries_does_not_grow_with_the_list(reader: HttpClient) -> None:
    CaseFactory.create()
    with CaptureQueriesContext(connection) as one:
        reader.get(LIST)
    CaseFactory.create_batch(20)

    with CaptureQueriesContext(connection) as many:
        reader.get(LIST)

    assert len(many) == len(one)
    assert "result_schema" not in str(many.captured_queries)


def test_who_waits_longest_stands_first_and_says_since_when(reader: HttpClient) -> None:
    for hours in (1, 3, 2):
        case = CaseFactory.create(status="INPUT_NEEDED", counterparty_name=f"{hours} hours")
        ask(case, DUE - timedelta(hours=hours))

    rows = read_rows(reader, "?state=INPUT_NEEDED")

    assert [row.split(" | ")[1] for row in rows] == ["3 hours", "2 hours", "1 hours"]
    assert "An answer | since 1 Dec 2026, 06:30" in rows[0]


def test_an_answered_question_is_nobodys_work_any_more(reader: HttpClient) -> None:
    answered = CaseFactory.create(status="INPUT_NEEDED")
    ask(answered, status="RESOLVED", resolved_at=DUE, answer="The new one.", answered_by="sam")

    [row] = read_rows(reader)
    body = reader.get(LIST).content.decode()

    assert row.startswith("Answered; the agent goes on with it | ")
    assert "chip-human" not in body
    assert read_rows(reader, "?state=INPUT_NEEDED") == []


def test_only_a_live_case_is_stuck(reader: HttpClient) -> None:
    give_up_a_step(CaseFactory.create(status="RUNNING", counterparty_name="Live"))
    give_up_a_step(CaseFactory.create(status="FAILED", result_status="evaluation_failed", counterparty_name="Ended"))

    [row] = read_rows(reader, "?state=STUCK")

    assert "Live" in row


def test_the_filter_uses_the_words_of_the_chips(reader: HttpClient) -> None:
    body = reader.get(LIST).content.decode()

    links = re.findall(r'<a href="\?state=\w+">([^<]+)</a>', body)

    assert links == ["Queued", "Running", "Needs an answer", "Completed", "Failed", "Stuck", "Paused"]
    assert "INPUT_NEEDED</a>" not in body


@pytest.mark.parametrize("query", ["?state=ODD", "?state=%00"])
def test_a_state_that_nobody_knows_narrows_nothing(reader: HttpClient, query: str) -> None:
    CaseFactory.create()

    assert len(read_rows(reader, query)) == 1


def test_results_are_counted_only_for_a_search(reader: HttpClient) -> None:
    CaseFactory.create()

    plain, filtered, searched = (
        reader.get(LIST + query).content.decode() for query in ("", "?state=CREATED", "?q=maya")
    )

    assert "Show all" not in plain + filtered
    assert "1 result (<a" in searched


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?state=INPUT_NEEDED", "Nobody waits for you."),
        ("?state=STUCK", "No case is stuck."),
        ("?state=FAILED", "No case is in this state."),
        ("?state=PAUSED", "No case is paused."),
        ("?mine=1", "You have not acted on a case yet."),
        ("", "There is no case yet. An application opens the first one with POST /cases."),
        ("?q=nothing", "No case matches."),
        ("?state=INPUT_NEEDED&q=nothing", "No case matches."),
    ],
)
def test_an_empty_list_says_what_that_means(reader: HttpClient, query: str, words: str) -> None:
    body = reader.get(LIST + query).content.decode()

    assert f'<p class="empty"><strong>{words}</strong>' in body


def test_the_list_has_a_plain_name(reader: HttpClient) -> None:
    body = reader.get(LIST).content.decode()

    assert "<h1>Cases</h1>" in body
    assert "<title>Cases | Offload</title>" in body
    assert "to view" not in body


def name_rows(browser: HttpClient, query: str) -> list[str]:
    return [row.split(" | ")[1] for row in read_rows(browser, query)]


def make_due(name: str, due: timedelta, now: datetime, **values: Any) -> None:
    CaseFactory.create(
        status="RUNNING",
        counterparty_name=name,
        next_action="follow_up",
        next_action_at=now + due,
        due_at=now + due,
        **values,
    )


def test_the_next_step_is_filtered_by_when_it_is_due(reader: HttpClient) -> None:
    now = timezone.now()
    make_due("Late", -timedelta(hours=3), now)
    make_due("Late but paused", -timedelta(hours=3), now, paused_at=now)
    make_due("Just due", -timedelta(minutes=30), now)
    make_due("Tomorrow", timedelta(hours=20), now)
    make_due("In five days", timedelta(days=5), now)
    make_due("In nine days", timedelta(days=9), now)
    CaseFactory.create(counterparty_name="Not scheduled")

    found = {span: set(name_rows(reader, f"?due={span}")) for span in ("late", "day", "week")}

    assert found == {"late": {"Late"}, "day": {"Tomorrow"}, "week": {"Tomorrow", "In five days"}}


def test_open_questions_are_filtered_by_how_long_they_wait(reader: HttpClient) -> None:
    now = timezone.now()
    for hours in (2, 5, 30, 80):
        case = CaseFactory.create(status="INPUT_NEEDED", counterparty_name=f"{hours} hours")
        ask(case, now - timedelta(hours=hours))
    answered = CaseFactory.create(status="INPUT_NEEDED", counterparty_name="Answered")
    ask(answered, now - timedelta(hours=90), status="RESOLVED", resolved_at=now, answer="Yes", answered_by="sam")

    found = {span: set(name_rows(reader, f"?waiting={span}")) for span in ("1", "4", "24", "72")}

    assert found == {
        "1": {"2 hours", "5 hours", "30 hours", "80 hours"},
        "4": {"5 hours", "30 hours", "80 hours"},
        "24": {"30 hours", "80 hours"},
        "72": {"80 hours"},
    }


def test_cases_are_filtered_by_when_they_were_opened(reader: HttpClient) -> None:
    now = timezone.now()
    for days in (0, 3, 20, 40):
        CaseFactory.create(counterparty_name=f"{days} days", created_at=now - timedelta(days=days, hours=1))

    found = {span: set(name_rows(reader, f"?opened={span}")) for span in ("1", "7", "30", "older")}

    assert found == {
        "1": {"0 days"},
        "7": {"0 days", "3 days"},
        "30": {"0 days", "3 days", "20 days"},
        "older": {"40 days"},
    }


def test_cases_are_filtered_by_how_they_ended(reader: HttpClient) -> None:
    CaseFactory.create(counterparty_name="Bounced", status="FAILED", result_status="BOUNCED")
    CaseFactory.create(counterparty_name="Silent", status="FAILED", result_status="max_retries")
    CaseFactory.create(counterparty_name="Done", status="COMPLETED", result_status="goal_achieved")
    CaseFactory.create(counterparty_name="Running", status="RUNNING")

    assert name_rows(reader, "?outcome=BOUNCED") == ["Bounced"]
    assert name_rows(reader, "?outcome=goal_achieved") == ["Done"]
    assert name_rows(reader, "?outcome=BOUNCED&state=COMPLETED") == []


@pytest.mark.parametrize("query", ["?due=odd", "?waiting=odd", "?opened=odd", "?outcome=odd", "?client=odd", "?mine=2"])
def test_a_choice_that_no_filter_has_narrows_nothing(reader: HttpClient, query: str) -> None:
    CaseFactory.create()

    assert len(read_rows(reader, query)) == 1


def test_the_latest_failure_stands_first_among_failed_cases(reader: HttpClient) -> None:
    for hours in (3, 1, 2):
        CaseFactory.create(
            counterparty_name=f"{hours} hours ago",
            status="FAILED",
            result_status="max_retries",
            updated_at=DUE - timedelta(hours=hours),
        )

    assert name_rows(reader, "?state=FAILED") == ["1 hours ago", "2 hours ago", "3 hours ago"]


def log_deed(browser: HttpClient, case: Case) -> None:
    LogEntry.objects.create(
        user_id=browser.session["_auth_user_id"],
        content_type=ContentType.objects.get_for_model(Case),
        object_id=str(case.pk),
        object_repr=str(case),
        action_flag=CHANGE,
    )


def test_mine_are_the_cases_that_somebody_answers_or_has_acted_on(support: HttpClient, reader: HttpClient) -> None:
    acted, answering, foreign = (CaseFactory.create(counterparty_name=name) for name in ("Acted", "Answering", "Other"))
    Case.objects.filter(pk=answering.pk).update(status="INPUT_NEEDED")
    ask(answering, answering_by="sam", answering_at=DUE)
    log_deed(support, acted)
    log_deed(reader, foreign)

    assert set(name_rows(support, "?mine=1")) == {"Acted", "Answering"}
    assert name_rows(reader, "?mine=1") == ["Other"]


def test_the_saved_views_say_how_many_there_are_and_which_one_is_shown(support: HttpClient) -> None:
    asked = CaseFactory.create(status="INPUT_NEEDED")
    ask(asked)
    give_up_a_step(CaseFactory.create(status="RUNNING"))
    CaseFactory.create_batch(101, status="FAILED", result_status="max_retries")
    log_deed(support, asked)

    body = support.get(LIST + "?state=FAILED").content.decode()

    tabs = body.partition('aria-label="Saved views"')[2].partition("</nav>")[0]
    shown = re.findall(r'<a href="([^"]+)"( aria-current="page")?>(.+?)</a>', tabs)
    assert [(url, bool(current), re.sub(r"<[^>]+>", "", words)) for url, current, words in shown] == [
        (LIST, False, "All"),
        (f"{LIST}?state=INPUT_NEEDED", False, "Needs an answer 1"),
        (f"{LIST}?state=STUCK", False, "Stuck 1"),
        (f"{LIST}?state=FAILED", True, "Failed 100+"),
        (f"{LIST}?mine=1", False, "Mine 1"),
    ]
    assert tabs.count("tab-count-human") == 2


def test_a_paused_case_says_so_and_can_be_asked_for(reader: HttpClient) -> None:
    CaseFactory.create(status="RUNNING", counterparty_name="Paused", paused_at=DUE)
    CaseFactory.create(status="RUNNING", counterparty_name="Going on")

    [row] = read_rows(reader, "?state=PAUSED")

    assert row.startswith("Running | Paused | Paused | ")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("w-9", {"Maya Chen"}),
        ("W9", set()),
        ("northstar form", {"Maya Chen"}),
        ("form northstar", {"Maya Chen"}),
        ("form missing", set()),
        ("sign", {"Maya Chen"}),
        ("si", set()),
        ("ola n", {"Ola Nord"}),
        ("Ørsted", {"Åsa Ørsted"}),
        ("åsa", {"Åsa Ørsted"}),
        ("100%", {"Ola Nord"}),
        ("o'brien", {"Ola Nord"}),
        ("back\\slash", {"Ola Nord"}),
        ("' | 'form", {"Maya Chen"}),
        ("form & !northstar", {"Maya Chen"}),
    ],
)
def test_words_of_the_task_find_a_case(reader: HttpClient, words: str, found: set[str]) -> None:
    CaseFactory.create(objective="Collect the signed W-9 (tax form).", counterparty_company="Northstar")
    CaseFactory.create(
        counterparty_name="Ola Nord", counterparty_address="ola@x.example", objective="100% of O'Brien's back\\slash"
    )
    CaseFactory.create(counterparty_name="Åsa Ørsted", counterparty_address="asa@x.example", objective="Reply")

    assert set(name_rows(reader, f"?q={quote(words)}")) == found


def test_a_search_keeps_to_the_filters(reader: HttpClient) -> None:
    CaseFactory.create(status="FAILED", result_status="BOUNCED", counterparty_name="Maya Failed")
    CaseFactory.create(status="RUNNING", counterparty_name="Maya Running")

    assert name_rows(reader, "?q=maya&state=FAILED") == ["Maya Failed"]


@pytest.fixture
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that looks at 4 newest cases, finds 3 enough, and puts 5 in order."""
    monkeypatch.setattr(search, "NEWEST", 4)
    monkeypatch.setattr(search, "ENOUGH", 3)
    monkeypatch.setattr(search, "MOST_FINDS", 5)


def test_words_that_fit_nearly_every_case_find_the_newest(reader: HttpClient, short_search: None) -> None:
    for days in range(9):
        CaseFactory.create(counterparty_name=f"Maya {days}", created_at=DUE - timedelta(days=days))

    body = reader.get(LIST + "?q=maya").content.decode()

    assert name_rows(reader, "?q=maya") == ["Maya 0", "Maya 1", "Maya 2", "Maya 3"]
    assert "not all of them were looked at" in body
    # In the other order the first of the list are the oldest.
    assert name_rows(reader, "?q=maya&o=6") == ["Maya 8", "Maya 7", "Maya 6", "Maya 5"]


def test_words_that_fit_few_cases_find_them_however_old(reader: HttpClient, short_search: None) -> None:
    for days in range(9):
        name = "Maya" if days in (0, 6, 8) else "Ben"
        CaseFactory.create(
            counterparty_name=f"{name} {days}",
            counterparty_address=f"{name}@x.example",
            objective="Reply",
            created_at=DUE - timedelta(days=days),
        )

    body = reader.get(LIST + "?q=maya").content.decode()

    assert name_rows(reader, "?q=maya") == ["Maya 0", "Maya 6", "Maya 8"]
    assert "not all of them were looked at" not in body


def test_words_that_fit_many_old_cases_say_that_there_are_more(reader: HttpClient, short_search: None) -> None:
    for days in range(12):
        name = "Maya" if days > 3 else "Ben"
        CaseFactory.create(
            counterparty_name=f"{name} {days}",
            counterparty_address=f"{name}@x.example",
            objective="Reply",
            created_at=DUE - timedelta(days=days),
        )

    body = reader.get(LIST + "?q=maya").content.decode()

    assert len(name_rows(reader, "?q=maya")) == 6
    assert "not all of them were looked at" in body


def test_a_task_of_a_megabyte_is_stored_and_found_by_its_first_words(reader: HttpClient) -> None:
    CaseFactory.create(objective="Certificate wanted. " + " ".join(f"word{number}" for number in range(120_000)))

    assert name_rows(reader, "?q=certificate") == ["Maya Chen"]


def test_a_search_leaves_the_planner_as_it_was(reader: HttpClient) -> None:
    CaseFactory.create()

    read_rows(reader, "?q=maya")

    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE name LIKE 'enable_%scan' AND setting = 'off'")
        assert cursor.fetchall() == []


def test_a_long_list_is_counted_to_its_cap_alone(reader: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "LIST_CAP", 60)
    CaseFactory.create_batch(61)

    with CaptureQueriesContext(connection) as captured:
        body = reader.get(LIST).content.decode()
    counts = [query["sql"] for query in captured.captured_queries if "COUNT(" in query["sql"]]

    last = read_rows(reader, "?p=2")

    assert counts
    assert all("LIMIT" in sql for sql in counts)
    assert "60+ cases" in body
    assert "The first 60 are listed: narrow the list to see others." in body
    assert len(last) == 10


def test_a_page_of_the_list_asks_the_database_a_fixed_number_of_times(support: HttpClient) -> None:
    CaseFactory.create_batch(3)

    with CaptureQueriesContext(connection) as captured:
        support.get(LIST + "?q=maya&state=CREATED")

    assert len(captured) <= 30
