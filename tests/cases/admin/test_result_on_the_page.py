"""A result beside what the client asked for; steps without end; who is answering; what leads to a resend."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client as HttpClient
from django.utils import timezone

from cases.admin.result_fields import describe_wanted
from cases.agent.wanted import list_wanted_fields
from cases.models import Case, InputRequest
from cases.workflow import EventKind
from tests.cases.admin.conftest import ASKED_AT, make_page_url, sign_in
from tests.cases.admin.test_page import LATER, add_event, add_run, read_page, read_text
from tests.cases.factories import CaseFactory
from tests.cases.mail import store_reply
from webhooks.models import Delivery
from webhooks.services import record_delivery

SCHEMA = {
    "required": ["legalName", "signedCopy"],
    "properties": {
        "legalName": {"type": "string", "description": "As on the tax form"},
        "signedCopy": {"type": "boolean"},
        "lines": {"type": "array", "items": {"type": "object"}},
    },
}


def test_each_value_stands_with_the_words_it_was_read_from_and_leads_there(reader: HttpClient) -> None:
    case = CaseFactory.create(
        status="COMPLETED",
        result_status="goal_achieved",
        result_schema=SCHEMA,
        result={"legalName": "Northstar", "lines": [{"price": 2}], "extra": True},
    )
    mail = store_reply(case, "We are Northstar.", LATER)
    evidence = [
        {"field": "legalName", "message_id": mail.message_id, "quote": "We are <b>Northstar</b>."},
        {"field": "lines[0].price", "message_id": "human:1", "quote": "Two"},
        {"field": "legalNameOfMother", "message_id": mail.message_id, "quote": "never"},
    ]
    event = add_event(case, EventKind.REPLY_RECEIVED, "a", status="done", finished_at=LATER)
    add_run(event, decision={"kind": "GOAL_ACHIEVED", "evidence": evidence})

    page = read_page(reader, case)

    text = read_text(page)
    result = text[text.index("Result\nGoal achieved") :]
    assert (
        "Legal name\ntext\nNorthstar\nAs on the tax form\nWe are <b>Northstar</b>.\nMaya Chen, 24 Nov 2026, 12:00 UTC"
        in result
    )
    assert "Signed copy\nMissing\nyes or no\nLines\nif known\na list, each a group of values" in result
    assert "Two\nanswer 1 of a colleague" in result
    assert "Extra\nnot asked for\nyes\nNo words are on record for this value." in result
    assert "never" not in result[: result.index("Notes")]
    assert f'<a href="#mail-{mail.pk}">Maya Chen, 24 Nov 2026, 12:00 UTC</a>' in page
    assert f'id="mail-{mail.pk}"' in page


def test_before_the_end_nothing_is_called_missing(reader: HttpClient) -> None:
    case = CaseFactory.create(status="RUNNING", attempt_count=1, result_schema=SCHEMA)

    text = read_text(read_page(reader, case))

    assert "What the client asked for\nLegal name\ntext\nAs on the tax form\nSigned copy\nyes or no" in text
    assert "Missing" not in text


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "date"}, "a date"),
        ({"type": "integer"}, "a whole number"),
        ({"enum": ["a", True, 3]}, "one of: a, yes, 3"),
        ({"enum": list(range(12))}, "one of: 0, 1, 2, 3, 4, 5, 6, 7 and 4 more"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "a list of: a, b"),
        ({"type": "object", "properties": {"city": {}, "zip": {}}}, "a group of: city, zip"),
        ({}, ""),
    ],
)
def test_every_type_is_told_in_words(schema: dict[str, Any], sentence: str) -> None:
    (field,) = list_wanted_fields({"properties": {"a": schema}})

    assert describe_wanted(field) == sentence


def test_of_many_steps_the_newest_are_shown_and_all_at_an_address(reader: HttpClient) -> None:
    case = CaseFactory.create(status="RUNNING", attempt_count=1)
    for number in range(45):
        add_event(case, EventKind.REPLY_RECEIVED, f"k{number}", status="done", finished_at=LATER, summary=f"S{number}.")
    url = make_page_url(case)

    newest, whole = (read_text(reader.get(address).content.decode()) for address in (url, f"{url}?steps=all"))

    assert "Timeline\nAll steps\n5 before these" in newest
    assert ("S4." in newest, "S5." in newest, "S44." in newest) == (False, True, True)
    assert [f"S{number}." in whole for number in range(45)] == [True] * 45
    assert "All steps" not in whole


def claim(browser: HttpClient, case: Case) -> int:
    return browser.post(f"/admin/cases/case/{case.id}/answering/").status_code


def test_who_looks_into_a_question_is_named_to_the_others(support: HttpClient, waiting_case: Case) -> None:
    assert claim(support, waiting_case) == 302

    own = read_text(read_page(support, waiting_case))
    others = read_text(read_page(sign_in("priya", "cases.view_case", "cases.answer_case"), waiting_case))

    assert "Your colleagues see that you have been answering since" in own
    assert "sam\nbegan to answer" in others
    assert "I am looking into this" in others


def test_who_looked_into_it_long_ago_is_not_named(reader: HttpClient, waiting_case: Case) -> None:
    long_ago: datetime = timezone.now() - timedelta(hours=1)
    InputRequest.objects.update(answering_by="sam", answering_at=long_ago)

    assert "began to answer" not in read_page(reader, waiting_case)


def test_who_may_not_answer_cannot_say_that_they_do(reader: HttpClient, waiting_case: Case) -> None:
    assert claim(reader, waiting_case) == 403
    assert InputRequest.objects.get().answering_by == ""


def test_a_look_at_the_address_claims_nothing(support: HttpClient, waiting_case: Case) -> None:
    assert support.get(f"/admin/cases/case/{waiting_case.id}/answering/").status_code == 302
    assert InputRequest.objects.get().answering_by == ""


def test_a_webhook_leads_to_its_resend_for_who_may(reader: HttpClient) -> None:
    case = CaseFactory.create()
    delivery = record_delivery(
        owner=case.id, url="https://x.example/", event_id="e", event_type="case.failed", body={}, now=ASKED_AT
    )
    Delivery.objects.update(state="failed", next_attempt_at=None, finished_at=LATER)
    sender = sign_in("sam", "cases.view_case", "webhooks.view_delivery", "webhooks.resend_delivery")
    link = f'href="/admin/webhooks/delivery/{delivery.pk}/resend/"'

    pages = [read_page(browser, case) for browser in (sender, reader)]

    assert [link in page for page in pages] == [True, False]
    assert sender.get(f"/admin/webhooks/delivery/{delivery.pk}/resend/").status_code == 200
