"""What the page of a case tells about the agent: what a decision rests on, what it took, who wants no more mail."""

from __future__ import annotations

from decimal import Decimal

from django.test import Client as HttpClient

from agentmail.models import DeclinedAddress
from cases.workflow import EventKind
from tests.cases.admin.conftest import ASKED_AT
from tests.cases.admin.test_page import LATER, add_event, add_run, read_page, read_text
from tests.cases.factories import CaseFactory, ClientFactory
from tests.cases.mail import store_reply


def test_a_decision_stands_with_its_evidence_its_model_and_its_cost(reader: HttpClient) -> None:
    case = CaseFactory.create(status="COMPLETED", result_status="goal_achieved", attempt_count=1)
    mail = store_reply(case, "EIN: 12-3456789", LATER)
    event = add_event(case, EventKind.REPLY_RECEIVED, "a", status="done", finished_at=LATER, summary="It is achieved.")
    add_run(
        event,
        implementation="model",
        model_asked="anthropic:claude-opus-5",
        model_answered="claude-sonnet-5-5",
        prompt_version="7",
        prompt_hash="0123456789abcdef" * 4,
        rationale="They gave the number.",
        decision={
            "kind": "GOAL_ACHIEVED",
            "result": {"ein": "12-3456789"},
            "evidence": [{"field": "ein", "message_id": mail.message_id, "quote": "<b>EIN</b>: 12-3456789"}],
        },
        tokens_in=3000,
        tokens_out=150,
        cost_usd=Decimal("0.01125"),
        latency_ms=2100,
        reasks=["evidence: ein: no evidence names the message"],
        guard_hits=["link: a link to evil.example"],
    )

    text = read_text(read_page(reader, case))

    order = [
        "It is achieved.",
        "Goal achieved",
        "They gave the number.",
        "model, claude-sonnet-5-5, asked for anthropic:claude-opus-5, 2.1 s, 3,000 tokens read, 150 written",
        "0.0112 US dollars, prompt 7 (0123456789ab)",
        "ein: “<b>EIN</b>: 12-3456789” — Maya Chen, 24 Nov 2026, 12:00 UTC",
        "Guard: link: a link to evil.example",
        "Asked again: evidence: ein: no evidence names the message",
    ]
    timeline = text[text.index("Timeline") :]
    places = [timeline.index(words) for words in order]
    assert places == sorted(places)


def test_a_case_of_a_client_that_may_not_write_there_says_since_when(admin: HttpClient) -> None:
    case = CaseFactory.create(status="FAILED", result_status="send_failed")
    row = DeclinedAddress.objects.create(
        scope=case.client_id, address="maya@vendor.example", detail="Stop.", created_at=ASKED_AT
    )

    page = read_page(admin, case)

    assert (
        "maya@vendor.example asked on 24 Nov 2026, 10:00 UTC not to be written to; "
        "Offload does not write there for this client." in read_text(page)
    )
    assert f'href="/admin/agentmail/declinedaddress/{row.pk}/change/"' in page


def test_what_an_address_asked_another_client_is_not_told_here(reader: HttpClient) -> None:
    case = CaseFactory.create(status="FAILED", result_status="send_failed")
    DeclinedAddress.objects.create(scope=ClientFactory.create().id, address="maya@vendor.example", created_at=ASKED_AT)

    assert "not to be written to" not in read_page(reader, case)


def test_a_mail_that_its_domain_disowns_is_marked_in_the_conversation(reader: HttpClient) -> None:
    case = CaseFactory.create(status="INPUT_NEEDED", attempt_count=1)
    store_reply(case, "It is me.", LATER, authentication={"dmarc": "fail"})

    assert "failed DMARC: the sender may be forged" in read_text(read_page(reader, case))
