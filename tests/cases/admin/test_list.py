"""The list of cases: what it shows, finds and filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext

from cases import ledger
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
    both = read_rows(reader, f"?state=INPUT_NEEDED&client__id__exact={acme.id}")
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

    links = re.findall(r'<a href="\?state=\w+">\s*([^<]+?)\s*</a>', body)

    assert links == ["Queued", "Running", "Needs an answer", "Completed", "Failed", "Stuck"]
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
        ("?q=nothing", "No case matches."),
        ("?state=INPUT_NEEDED&q=nothing", "No case matches."),
    ],
)
def test_an_empty_list_says_what_that_means(reader: HttpClient, query: str, words: str) -> None:
    body = reader.get(LIST + query).content.decode()

    assert f'<p class="nothing">{words}</p>' in body


def test_the_list_has_a_plain_name(reader: HttpClient) -> None:
    body = reader.get(LIST).content.decode()

    assert "<h1>Cases</h1>" in body
    assert "<title>Cases | Offload</title>" in body
    assert "to view" not in body


def test_the_filter_counts_each_state_on_request(reader: HttpClient) -> None:
    ask(CaseFactory.create(status="INPUT_NEEDED"))
    give_up_a_step(CaseFactory.create(status="RUNNING"))

    body = reader.get(LIST + "?_facets=True").content.decode()

    for words in ("Queued (0)", "Running (1)", "Needs an answer (1)", "Stuck (1)"):
        assert words in body
