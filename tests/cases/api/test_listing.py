"""GET /cases: which of a client's cases are found, in which order, and page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases.api.listing import Listing, Place, make_cursor, select_cases
from cases.models import Attachment, Case, InputRequest
from tests.cases.api.conftest import Api, make_body, read_data, read_error
from tests.cases.factories import CaseFactory

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
NOW_MS = 1795514400000


def make_case(api: Api, **values: Any) -> Case:
    """Returns a stored case that was updated when it was made, unless `values` say otherwise."""
    created_at = values.setdefault("created_at", NOW)
    values.setdefault("updated_at", created_at)
    if values.get("status") in ("COMPLETED", "FAILED"):
        values.setdefault("result_status", "goal_achieved")
    return CaseFactory.create(client=api.client, **values)


def list_ids(api: Api, **query: Any) -> list[str]:
    """Returns the ids on the first page."""
    return [case["caseId"] for case in read_data(api.get(f"/cases?{urlencode(query, doseq=True)}"))["cases"]]


def turn_pages(api: Api, query: str) -> Iterator[list[str]]:
    """Yields the ids page by page, to the last."""
    cursor = ""
    while True:
        data = read_data(api.get(f"/cases?{query}{cursor}"))
        yield [case["caseId"] for case in data["cases"]]
        if data["nextCursor"] is None:
            return
        cursor = f"&cursor={data['nextCursor']}"


# -- What a page holds


def test_a_client_without_cases_gets_an_empty_page(api: Api) -> None:
    response = api.get("/cases")

    assert (response.status_code, read_data(response)) == (200, {"cases": [], "nextCursor": None})


def test_a_client_sees_its_own_cases_newest_first_and_nobody_elses(api: Api, other_api: Api) -> None:
    old, newest, middle = (make_case(api, created_at=NOW + timedelta(hours=hours)) for hours in (0, 9, 5))
    foreign = make_case(other_api)

    assert list_ids(api) == [str(newest.id), str(middle.id), str(old.id)]
    assert list_ids(other_api) == [str(foreign.id)]


def test_an_entry_is_what_reading_the_case_answers(api: Api) -> None:
    waiting = make_case(api, status="INPUT_NEEDED", metadata={"a": 1}, created_at=NOW + timedelta(seconds=1))
    plain = make_case(api)
    for number in (2, 1):
        Attachment.objects.create(
            case=waiting,
            attachment_id=f"att_{number}",
            name="w9.pdf",
            size=48_213,
            type="application/pdf",
            message_id="<m1@northstar.example>",
            inbox_id="agent@offload.example",
            received_at=NOW + timedelta(seconds=number),
        )
    for question, status in (("Old?", "RESOLVED"), ("May Maya send it by post?", "PENDING")):
        InputRequest.objects.create(
            case=waiting,
            question=question,
            status=status,
            requested_at=NOW + timedelta(minutes=status == "PENDING"),
            resolved_at=NOW if status == "RESOLVED" else None,
        )

    entries = read_data(api.get("/cases"))["cases"]

    assert entries == [read_data(api.get(f"/cases/{case.id}")) for case in (waiting, plain)]
    assert entries[0]["inputRequest"]["question"] == "May Maya send it by post?"
    assert [attachment["attachmentId"] for attachment in entries[0]["attachments"]] == ["att_1", "att_2"]
    assert "metadata" not in entries[0]


def test_metadata_and_the_reason_of_a_failure_are_listed_on_demand(api: Api) -> None:
    make_case(api, status="FAILED", failure_reason="No such mailbox", metadata={"a": 1})

    entry = read_data(api.get("/cases?expand=metadata,failureReason"))["cases"][0]

    assert (entry["metadata"], entry["failureReason"]) == ({"a": 1}, "No such mailbox")


@pytest.mark.parametrize("query", ["", "expand=metadata,failureReason"])
def test_a_page_costs_three_statements_however_many_cases_it_shows(api: Api, query: str) -> None:
    for number in range(4):
        case = make_case(api, created_at=NOW + timedelta(seconds=number), metadata={"a": 1}, status="INPUT_NEEDED")
        InputRequest.objects.create(case=case, question="Which?", requested_at=NOW)
    api.get("/cases/none")

    with CaptureQueriesContext(connection) as statements:
        data = read_data(api.get(f"/cases?limit=3&{query}"))

    sent = [query["sql"] for query in statements.captured_queries if "cases_requestallowance" not in query["sql"]]
    assert (len(data["cases"]), len(sent)) == (3, 3)
    assert not [sql for sql in sent if "COUNT(" in sql]


def test_a_client_without_recent_cases_does_not_wait_for_everybody_elses(api: Api, other_api: Api) -> None:
    for owner, made_at in ((api.client, NOW), (other_api.client, NOW + timedelta(days=1))):
        Case.objects.bulk_create(
            CaseFactory.build(client=owner, created_at=made_at + timedelta(seconds=number)) for number in range(2_000)
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE cases_case")

    plan = select_cases(api.client, Listing())[:26].explain(analyze=True)

    assert "Index Scan using case_of_client " in plan
    assert "Rows Removed by Filter" not in plan


# -- Filters


def test_each_filter_finds_exactly_what_it_says(api: Api, other_api: Api) -> None:
    later = {"created_at": NOW + timedelta(hours=1)}
    maya = make_case(api, client_reference_id="ref/17", counterparty_address="Maya.Chen@Northstar.example")
    ben = make_case(api, client_reference_id="REF/17", counterparty_address="ben@vendor.example", **later)
    make_case(other_api, client_reference_id="ref/17", counterparty_address="maya.chen@northstar.example")

    assert list_ids(api, clientReferenceId="ref/17") == [str(maya.id)]
    assert list_ids(api, clientReferenceId=" ref/17 ") == [str(maya.id)]
    assert list_ids(api, clientReferenceId="ref") == []
    assert list_ids(api, counterparty="maya.chen@NORTHSTAR.example") == [str(maya.id)]
    assert list_ids(api, counterparty="chen@northstar.example") == []
    assert list_ids(api, createdAfter=NOW_MS) == [str(ben.id)]
    assert list_ids(api, createdAfter=NOW_MS, clientReferenceId="ref/17") == []
    assert list_ids(api, nobodyKnows="this", caseId=str(ben.id)) == [str(ben.id), str(maya.id)]


def test_several_statuses_may_be_wanted(api: Api) -> None:
    cases = {
        status: str(make_case(api, status=status, created_at=NOW + timedelta(hours=hours)).id)
        for hours, status in enumerate(["CREATED", "RUNNING", "INPUT_NEEDED", "COMPLETED", "FAILED"])
    }

    for status, case_id in cases.items():
        assert list_ids(api, status=status) == [case_id]
    assert list_ids(api, status=["COMPLETED", "RUNNING", "RUNNING"]) == [cases["COMPLETED"], cases["RUNNING"]]


@pytest.mark.parametrize("microseconds", [0, 1, 999])
def test_times_compare_the_milliseconds_that_the_api_shows(api: Api, microseconds: int) -> None:
    made = NOW + timedelta(microseconds=microseconds)
    case = make_case(api, created_at=made, updated_at=made + timedelta(minutes=1))
    data = read_data(api.get(f"/cases/{case.id}"))
    created_ms, updated_ms = data["createdAt"], data["updatedAt"]
    found = [str(case.id)]

    assert (created_ms, updated_ms) == (NOW_MS, NOW_MS + 60_000)
    assert [list_ids(api, createdAfter=created_ms + shift) for shift in (-1, 0, 1)] == [found, [], []]
    assert [list_ids(api, createdBefore=created_ms + shift) for shift in (-1, 0, 1)] == [[], [], found]
    assert [list_ids(api, updatedAfter=updated_ms + shift) for shift in (-1, 0, 1)] == [found, [], []]


@pytest.mark.parametrize("parameter", ["createdAfter", "createdBefore", "updatedAfter"])
def test_the_first_and_the_last_moment_are_taken(api: Api, parameter: str) -> None:
    make_case(api)

    found = [list_ids(api, **{parameter: moment}) for moment in ("0", "253402300799999")]

    assert sorted(map(len, found)) == [0, 1]


# -- Pages


def test_pages_show_every_case_once_in_order(api: Api) -> None:
    # Four in one microsecond, then one microsecond apart: the id and the microseconds must both be kept.
    moments = [NOW] * 4 + [NOW + timedelta(microseconds=number) for number in range(1, 7)]
    made = sorted((make_case(api, created_at=moment) for moment in moments), key=lambda c: (c.created_at, c.id))
    in_order = [str(case.id) for case in reversed(made)]

    for limit in (1, 2, 3, 4, 9, 10, 11):
        pages = list(turn_pages(api, f"limit={limit}"))

        assert [case_id for page in pages for case_id in page] == in_order
        assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        assert pages[-1]


def test_cases_that_are_made_while_pages_are_turned_move_nothing(api: Api) -> None:
    made = [make_case(api, created_at=NOW + timedelta(seconds=number)) for number in range(6)]
    seen: list[str] = []

    for number, page in enumerate(turn_pages(api, "limit=2")):
        seen += page
        make_case(api, created_at=NOW + timedelta(hours=1, seconds=number))

    assert seen == [str(case.id) for case in reversed(made)]


def test_a_case_that_changes_while_pages_are_turned_keeps_its_place(api: Api) -> None:
    made = [make_case(api, created_at=NOW + timedelta(seconds=number)) for number in range(4)]
    pages = turn_pages(api, f"limit=2&updatedAfter={NOW_MS - 1}")
    seen = next(pages)

    Case.objects.filter(pk=made[0].pk).update(updated_at=NOW + timedelta(days=1))
    Case.objects.filter(pk=made[3].pk).update(updated_at=NOW + timedelta(days=1))
    seen += next(pages)

    assert seen == [str(case.id) for case in reversed(made)]


def test_filters_hold_on_every_page(api: Api) -> None:
    for number in range(8):
        status = "RUNNING" if number % 2 else "CREATED"
        make_case(api, status=status, created_at=NOW + timedelta(seconds=number))

    pages = list(turn_pages(api, "limit=3&status=RUNNING"))

    assert [len(page) for page in pages] == [3, 1]
    assert {Case.objects.get(pk=case_id).status for page in pages for case_id in page} == {"RUNNING"}


def test_a_page_has_25_cases_unless_told_otherwise(api: Api) -> None:
    for number in range(101):
        make_case(api, created_at=NOW + timedelta(seconds=number))

    assert [len(list_ids(api)), len(list_ids(api, limit=100)), len(list_ids(api, limit=1))] == [25, 100, 1]


def test_a_cursor_shows_another_client_only_its_own_cases(api: Api, other_api: Api) -> None:
    for number in range(3):
        make_case(api, created_at=NOW + timedelta(seconds=number))
    foreign = make_case(other_api)
    cursor = read_data(api.get("/cases?limit=1"))["nextCursor"]

    assert list_ids(other_api, cursor=cursor) == [str(foreign.id)]


def test_a_cursor_is_url_safe_and_any_change_to_it_is_refused(api: Api) -> None:
    make_case(api)
    cursor = make_cursor(Place(NOW + timedelta(hours=1), UUID(int=0)))
    assert quote(cursor, safe="") == cursor
    assert len(list_ids(api, cursor=cursor)) == 1

    for place in range(len(cursor)):
        changed = f"{cursor[:place]}{'A' if cursor[place] != 'A' else 'B'}{cursor[place + 1 :]}"
        assert api.get(f"/cases?cursor={changed}").status_code == 400


# -- Bad queries

MILLISECONDS = "must be Unix milliseconds, an integer from 0 to 253402300799999"
STATUS = "must be CREATED, RUNNING, INPUT_NEEDED, COMPLETED or FAILED; repeat the parameter for several"
LIMIT = "must be an integer from 1 to 100"
CURSOR = "must be the nextCursor of an earlier page, unchanged"
ADDRESS = "must be exactly one e-mail address, such as maya@example.com, without a name around it"
ONCE = "must be given only once"
FAULTY: list[tuple[str, str, str]] = [
    *(("status", value, STATUS) for value in ("", "running", "RUNNING,FAILED", "RUNNING%00", "RUNNING&status=x")),
    ("clientReferenceId", "", "must not be empty"),
    ("clientReferenceId", "r" * 501, "must have at most 500 characters"),
    ("clientReferenceId", "a%00b", "must be one line without control characters"),
    ("clientReferenceId", "a&clientReferenceId=a", ONCE),
    *(
        (parameter, value, MILLISECONDS)
        for parameter in ("createdAfter", "createdBefore", "updatedAfter")
        for value in ("", "x", "-1", "1.5", "1e3", "%D9%A3", "253402300800000", "9" * 400, "2026-11-24", "+5", "NaN")
    ),
    ("updatedAfter", "1&updatedAfter=2", ONCE),
    *(("counterparty", value, ADDRESS) for value in ("", "maya", "Maya <maya@northstar.example>", "a@b.example%00")),
    *(("limit", value, LIMIT) for value in ("", "0", "101", "-1", "1.0", "ten", "%D9%A3", "9" * 400)),
    ("limit", "5&limit=6", ONCE),
    *(("cursor", value, CURSOR) for value in ("", "x", "A" * 42, "A" * 43, "A" * 44, "%00" * 43, "=" * 43, "ü" * 43)),
]


@pytest.mark.parametrize(("parameter", "value", "message"), FAULTY)
def test_a_faulty_parameter_is_named(api: Api, parameter: str, value: str, message: str) -> None:
    response = api.get(f"/cases?{parameter}={value}")

    assert response.status_code == 400
    assert read_error(response) == {
        "code": "INVALID_REQUEST",
        "message": f"{parameter} {message}.",
        "details": [{"field": parameter, "message": message}],
    }


def test_all_faulty_parameters_are_named_at_once(api: Api) -> None:
    response = api.get("/cases?limit=0&createdAfter=x&status=y&expand=z&cursor=c&counterparty=q&limit=1")

    error = read_error(response)
    assert response.status_code == 400
    assert [fault["field"] for fault in error["details"]] == [
        "status",
        "createdAfter",
        "counterparty",
        "limit",
        "cursor",
        "expand",
    ]


def test_a_slash_too_many_is_no_route(api: Api) -> None:
    response = api.get("/cases/")

    assert (response.status_code, read_error(response)["code"]) == (404, "NOT_FOUND")


def test_head_answers_as_get_does_without_a_body(api: Api) -> None:
    api.post("/cases", make_body())

    response = api.send("HEAD", "/cases")

    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(("method", "path"), [("GET", "/cases"), ("HEAD", "/cases"), ("POST", "/cases")])
def test_without_a_key_nothing_is_listed(api: Api, method: str, path: str) -> None:
    assert api.send(method, path, HTTP_X_API_KEY="").status_code == 401
