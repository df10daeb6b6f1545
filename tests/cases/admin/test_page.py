"""The page of one case: what a support agent reads there, and that mail cannot do anything to them."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client as HttpClient

from agentmail.models import ProviderEvent, SuppressedAddress
from cases import ledger
from cases.models import AgentRun, Case, CaseEvent, InputRequest
from cases.workflow import EventKind
from tests.cases.admin.conftest import ASKED_AT, make_page_url
from tests.cases.factories import CaseFactory
from tests.cases.mail import store_reply, store_sent_mail
from webhooks.services import record_delivery

LATER = ASKED_AT + timedelta(hours=2)
HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">\'"&'


def read_page(browser: HttpClient, case: Case) -> str:
    response = browser.get(make_page_url(case))
    assert response.status_code == 200
    return response.content.decode()


def read_text(page: str) -> str:
    """Returns what a person reads in the main part of a page, one line for each piece of text."""
    main = page.partition("<main")[2].partition("</main>")[0]
    pieces = re.sub(r"<[^>]+>", "\n", main).split("\n")
    return html.unescape("\n".join(piece.strip() for piece in pieces if piece.strip()))


def add_event(case: Case, kind: EventKind, key: str, **values: Any) -> CaseEvent:
    recorded = ledger.record(case_id=case.id, kind=kind, key=key, payload=values.pop("payload", {}))
    CaseEvent.objects.filter(pk=recorded.event_id).update(**{"created_at": ASKED_AT, **values})
    return CaseEvent.objects.get(pk=recorded.event_id)


def add_run(event: CaseEvent, **values: Any) -> AgentRun:
    given: dict[str, Any] = {"operation": "evaluate", "implementation": "offline", "created_at": ASKED_AT, **values}
    return AgentRun.objects.create(case=event.case, event=event, **given)


def test_the_conversation_stands_oldest_first_with_quotes_folded(reader: HttpClient) -> None:
    case = CaseFactory.create(status="RUNNING", attempt_count=1)
    store_reply(case, "The new name.\n\nOn Tue, 24 Nov 2026 at 10:00, Alex Reed wrote:\n> Which name?\n", LATER)
    store_sent_mail(case, "Which name?", ASKED_AT)

    page = read_page(reader, case)

    text = read_text(page)
    assert (
        text.index("Which name?")
        < text.index("The new name.")
        < text.index("Quoted text")
        < text.index("> Which name?")
    )
    fold = page.partition("Quoted text")[2]
    assert "&gt; Which name?" in fold.partition("</details>")[0]


def test_a_very_long_mail_is_shown_whole(reader: HttpClient) -> None:
    case = CaseFactory.create(status="RUNNING", attempt_count=1)
    store_reply(case, "long " * 10_000 + "the very end", LATER)

    assert "the very end" in read_page(reader, case)


def test_a_mail_shows_its_files_and_what_is_odd_about_it(reader: HttpClient) -> None:
    case = CaseFactory.create(status="RUNNING", attempt_count=1)
    file = {"attachment_id": "a", "filename": "w9.pdf", "content_type": "application/pdf", "size": 1}
    store_reply(
        case, "Away until Monday.", LATER, automatic="out_of_office", variant="unauthenticated", attachments=[file]
    )

    text = read_text(read_page(reader, case))

    assert "w9.pdf" in text
    assert "sender not authenticated, out of office" in text


def test_nothing_in_a_mail_or_a_case_is_run_by_the_browser(support: HttpClient) -> None:
    case = CaseFactory.create(
        status="INPUT_NEEDED",
        attempt_count=1,
        objective=HOSTILE,
        counterparty_name=HOSTILE,
        knowledge={HOSTILE: HOSTILE},
        constraints=[HOSTILE],
        result_schema={HOSTILE: 1},
        metadata={HOSTILE: 1},
        client_reference_id=HOSTILE,
    )
    InputRequest.objects.create(case=case, question=HOSTILE, requested_at=ASKED_AT)
    file = {"attachment_id": "a", "filename": HOSTILE, "content_type": "text/html", "size": 1}
    store_reply(
        case, f"{HOSTILE}\n> {HOSTILE}", LATER, html=HOSTILE, subject=HOSTILE, from_name=HOSTILE, attachments=[file]
    )
    event = add_event(case, EventKind.REPLY_RECEIVED, "k", summary=HOSTILE, last_error=HOSTILE)
    add_run(event, decision={"kind": HOSTILE}, rationale=HOSTILE, guard_hits=[HOSTILE], reasks=[HOSTILE])

    page = read_page(support, case)
    listed = support.get("/admin/cases/case/").content.decode()

    for body in (page, listed):
        assert "<script>alert" not in body
        assert "<img" not in body.replace('<img src="/static/', "")
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 15


def test_the_pages_need_no_inline_script_or_style(support: HttpClient, waiting_case: Case) -> None:
    store_reply(waiting_case, "Hello", LATER)
    pages = ["/admin/", "/admin/cases/case/", make_page_url(waiting_case), "/admin/password_change/"]

    for url in pages:
        response = support.get(url)
        body = response.content.decode()
        assert response.status_code == 200
        assert not re.findall(
            r"<script(?![^>]*\bsrc=)[^>]*>(?!\s*</script>)", body.replace('type="application/json"', "src=")
        )
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=", body)
        assert response.headers["Content-Security-Policy"].count("unsafe-inline") == 0
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]


def test_every_page_of_the_admin_has_our_name_and_theme(support: HttpClient) -> None:
    for browser, url in [(support, "/admin/"), (support, "/admin/cases/case/"), (HttpClient(), "/admin/login/")]:
        body = browser.get(url).content.decode()
        assert '<link rel="stylesheet" href="/static/cases/console.css">' in body
        assert "| Offload</title>" in body
        assert "Django" not in body


def test_the_task_is_shown_with_what_must_not_leave_apart(reader: HttpClient) -> None:
    case = CaseFactory.create(
        objective="Collect the W-9",
        knowledge={"private": {"budget": 4000}, "zone": "B"},
        constraints=["Ask for a PDF"],
        persona_role="Vendor operations",
        client_reference_id="ref-17",
        counterparty_custom_data={"vendorId": "V-17"},
    )

    text = read_text(read_page(reader, case))

    assert text.index("Zone") < text.index("Private") < text.index("never leaves in a mail") < text.index("4000")
    for words in ("Collect the W-9", "Ask for a PDF", "Alex Reed, Vendor operations", "ref-17", "V-17", str(case.id)):
        assert words in text


def test_knowledge_may_be_plain_text(reader: HttpClient) -> None:
    case = CaseFactory.create(knowledge="The office is closed in December.")

    assert "The office is closed in December." in read_text(read_page(reader, case))


def test_an_ended_case_shows_its_result_or_why_it_failed(reader: HttpClient) -> None:
    done = CaseFactory.create(
        status="COMPLETED", result_status="goal_achieved", result={"legalName": "Northstar", "n": [1]}
    )
    failed = CaseFactory.create(status="FAILED", result_status="BOUNCED", failure_reason="The mailbox is full.")

    done_text, failed_text = (read_text(read_page(reader, case)) for case in (done, failed))

    assert "Result\nGoal achieved\ngoal_achieved\n" in done_text
    assert (
        "N\nnot asked for\n1\nNo words are on record for this value.\nLegal name\nnot asked for\nNorthstar" in done_text
    )
    assert "Result\nThe mail bounced\nBOUNCED\nThe mailbox is full." in failed_text


def test_the_timeline_tells_what_the_agent_decided_and_why(reader: HttpClient) -> None:
    case = CaseFactory.create(status="RUNNING", attempt_count=1)
    opened = add_event(
        case,
        EventKind.CASE_CREATED,
        "a",
        status="done",
        finished_at=LATER,
        summary="The first message was sent.",
        attempt=3,
        failures=1,
        waits=2,
        last_error="The provider answered 503.",
    )
    add_run(opened, operation="draft_outreach", decision={"kind": "DRAFT"}, rationale="Names the deadline.")
    add_event(case, EventKind.REPLY_RECEIVED, "b", status="done", finished_at=LATER, summary="An automatic reply.")

    text = read_text(read_page(reader, case))

    order = [
        "Case opened",
        "The first message was sent.",
        "Wrote a message",
        "Names the deadline.",
        "3 attempts, 1 failure, waited 2 times for somebody else",
        "What went wrong before",
        "The provider answered 503.",
        "Mail received",
        "An automatic reply.",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_a_step_that_was_given_up_asks_for_a_person(reader: HttpClient) -> None:
    case = CaseFactory.create(status="RUNNING", attempt_count=1)
    add_event(
        case, EventKind.REPLY_RECEIVED, "a", status="dead", finished_at=LATER, failures=5, attempt=5, last_error="Why"
    )

    page = read_page(reader, case)

    assert "A step of this case was given up" in page
    assert '<span class="chip chip-human">Given up after 5 failures</span>' in page
    assert "<details open>" in page


def test_the_answers_of_people_stay_readable(reader: HttpClient, waiting_case: Case) -> None:
    question = InputRequest.objects.create(
        case=waiting_case,
        question="Is a scan enough?",
        requested_at=ASKED_AT - timedelta(days=1),
        status="RESOLVED",
        resolved_at=ASKED_AT,
        answer="Yes, it is.",
        answered_by="sam",
    )
    add_event(waiting_case, EventKind.INPUT_PROVIDED, "k", payload={"input_request_id": str(question.id)})

    text = read_text(read_page(reader, waiting_case))

    assert text.index("Old name or new name?") < text.index("Answered questions")
    assert "Is a scan enough?\nYes, it is.\nsam, 24 Nov 2026, 10:00 UTC" in text
    assert "Question answered" in text
    assert "Answered by sam" in text


def test_a_question_that_the_end_closed_says_so(reader: HttpClient) -> None:
    case = CaseFactory.create(status="FAILED", result_status="cancelled")
    InputRequest.objects.create(
        case=case, question="Still?", requested_at=ASKED_AT, status="RESOLVED", resolved_at=LATER
    )

    assert "Closed without an answer, because the case ended, 24 Nov 2026, 12:00 UTC" in read_text(
        read_page(reader, case)
    )


def test_deliveries_show_each_attempt_but_not_the_secret_in_the_url(reader: HttpClient) -> None:
    url = "https://hooks.acme.example/in?token=secret"
    case = CaseFactory.create(client_webhook_url=url)
    delivery = record_delivery(
        owner=case.id, url=url, event_id="evt_1", event_type="case.completed", body={}, now=ASKED_AT
    )
    delivery.attempts.create(
        number=1,
        started_at=ASKED_AT,
        finished_at=LATER,
        outcome="failed",
        status_code=500,
        duration_ms=120,
        error="The endpoint answered 500.",
    )

    page = read_page(reader, case)

    text = read_text(page)
    for words in (
        "case.completed",
        "to hooks.acme.example",
        "1 attempt",
        "HTTP 500, 120 ms",
        "The endpoint answered 500.",
    ):
        assert words in text
    assert "token=secret" not in page


@pytest.mark.parametrize("case_id", ["nothing", "00000000-0000-4000-8000-000000000000", "%00", "_27"])
def test_a_case_that_does_not_exist_leads_back_to_the_list(reader: HttpClient, case_id: str) -> None:
    response = reader.get(f"/admin/cases/case/{case_id}/change/", follow=True)

    assert response.redirect_chain == [("/admin/cases/case/", 302)]
    assert "There is no case with this id." in response.content.decode()


def test_what_the_client_asked_for_is_told_in_words(reader: HttpClient) -> None:
    schema = {
        "properties": {"taxId": {"type": "string", "description": "Nine digits"}, "dueDate": {"title": "Due by"}},
        "required": ["taxId"],
    }
    case = CaseFactory.create(
        status="COMPLETED",
        result_status="goal_achieved",
        result_schema=schema,
        result={"taxId": "12-3456789", "dueDate": "2026-12-01"},
    )

    page = read_page(reader, case)

    text = read_text(page)
    assert "Tax ID\ntext\n12-3456789\nNine digits\n" in text
    assert "Due by\nif known\n2026-12-01" in text
    assert "case-ended" in page


def suppress_maya(reason: str, at: datetime) -> SuppressedAddress:
    return SuppressedAddress.objects.create(address="maya@vendor.example", reason=reason, created_at=at)


def test_a_case_that_could_not_be_written_to_says_why_and_since_when(reader: HttpClient) -> None:
    case = CaseFactory.create(
        status="FAILED", result_status="send_failed", failure_reason="This address gets no more mail."
    )
    suppress_maya("BOUNCED", LATER)

    text = read_text(read_page(reader, case))

    assert "The mail could not be sent\nsend_failed" in text
    assert (
        "maya@vendor.example bounced on 24 Nov 2026, 12:00 UTC, in another case; Offload does not write to it any more."
        in text
    )
    assert "again" not in text


def test_a_bounce_of_the_cases_own_mail_is_not_told_as_anothers(reader: HttpClient) -> None:
    case = CaseFactory.create(status="FAILED", result_status="COMPLAINED", counterparty_address="Maya@Vendor.example")
    suppress_maya("COMPLAINED", LATER)
    ProviderEvent.objects.create(
        event_id="e",
        kind="report",
        report_kind="COMPLAINED",
        payload={},
        received_at=ASKED_AT,
        owner=case.id,
        matched_at=LATER,
    )

    text = read_text(read_page(reader, case))

    assert "maya@vendor.example marked our mail as spam on 24 Nov 2026, 12:00 UTC, in this case;" in text


def test_an_address_without_mail_does_not_explain_an_end_that_had_other_reasons(reader: HttpClient) -> None:
    case = CaseFactory.create(status="FAILED", result_status="cancelled")
    suppress_maya("BOUNCED", LATER)

    assert "does not write to it any more" not in read_page(reader, case)


def test_only_a_superuser_is_led_to_where_the_address_is_freed(admin: HttpClient) -> None:
    case = CaseFactory.create(status="FAILED", result_status="send_failed")
    row = suppress_maya("BOUNCED", LATER)

    page = read_page(admin, case)

    url = f"/admin/agentmail/suppressedaddress/{row.pk}/change/"
    assert f'<a href="{url}">Let Offload write to this address again</a>' in page
    assert "Let Offload write to this address again" in admin.get(url).content.decode()


def test_every_page_has_an_icon_that_exists(reader: HttpClient) -> None:
    for url in ("/admin/", "/admin/cases/case/", "/admin/login/"):
        page = reader.get(url, follow=True).content.decode()
        assert '<link rel="icon" type="image/svg+xml" href="/static/cases/favicon.svg">' in page
    assert finders.find("cases/favicon.svg")
