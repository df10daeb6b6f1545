"""What mail is before anybody judges it, and what becomes of the usual kinds of answer, with the agent of rules."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agentmail.models import InboundEmail
from cases.agent.decisions import Evidence, GoalAchieved, RequiresReply
from cases.agent.offline.agent import OfflineAgent
from cases.handlers.limiting import REPLIES_BEFORE_A_HUMAN
from cases.models import AgentRun, Case, InputRequest
from cases.services import answer_input_request
from tests.cases.handlers.conftest import EMPTY_THREAD, INBOX, MAYA, NOW, Desk, accept, show_thread

pytestmark = pytest.mark.django_db(transaction=True)

W9 = {"type": "object", "required": ["legalName", "ein"], "properties": {"legalName": {}, "ein": {"title": "EIN"}}}
NO_VERDICT = "(The mail provider gave no DMARC verdict on the sender.)"
ANSWER = RequiresReply(kind="REQUIRES_REPLY", body="Hi Maya,\n\nthe LLC, please.\n\nAna")
FACTS = "Find out Maya's legal name and EIN"
AUTOMATIC = {"Auto-Submitted": "auto-replied"}


@pytest.fixture
def ruled(desk: Desk) -> Desk:
    """A case after its outreach, in the hands of the agent that works by rules."""
    desk.send_outreach()
    Case.objects.update(result_schema=W9)
    return replace(desk, tools=replace(desk.tools, agent=OfflineAgent()))


def work(desk: Desk, *answers: Any) -> Case:
    desk.provider.play(EMPTY_THREAD, *answers)
    desk.work()
    return desk.read()


@pytest.mark.parametrize(
    ("subject", "text", "back"),
    [
        ("Out of office", "I am out of office until 3 December 2026.", (12, 3)),
        ("Automatic reply: W-9", "I am on leave and will be back on December 7, 2026.", (12, 7)),
        ("Abwesenheitsnotiz", "Ich bin bis zum 4. Dezember 2026 nicht im Büro.", (12, 4)),
        ("Réponse automatique", "Je suis en congés, de retour le 7 décembre 2026.", (12, 7)),
        ("Respuesta automática", "Estoy de vacaciones hasta el 4 de diciembre de 2026.", (12, 4)),
    ],
)
def test_an_absence_note_holds_the_case_until_its_writer_is_back(
    ruled: Desk, subject: str, text: str, back: tuple[int, int]
) -> None:
    ruled.receive(text, subject=subject, headers=AUTOMATIC)

    case = work(ruled)

    assert case.next_action_at is not None
    assert (case.status, case.next_action) == ("RUNNING", "recheck")
    assert (case.next_action_at.month, case.next_action_at.day) == back
    assert (case.follow_ups_sent, len(ruled.sends())) == (0, 1)


def test_an_absence_note_without_a_date_puts_off_nothing_for_long(ruled: Desk) -> None:
    ruled.receive("I am out of office.", subject="Out of office", headers=AUTOMATIC)

    case = work(ruled)

    assert case.status == "RUNNING"
    assert case.next_action_at is not None
    assert case.next_action_at <= datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


def test_a_bounce_that_comes_as_a_mail_is_no_answer_and_its_kind_is_named(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive(
        "Your message could not be delivered. Legal name: Northstar LLC",
        subject="Undelivered Mail Returned to Sender",
        headers={"Content-Type": "multipart/report; report-type=delivery-status"},
        **{"from": "MAILER-DAEMON@northstar.example"},
    )

    case = work(desk)

    assert (case.status, case.next_action, len(desk.agent.views)) == ("RUNNING", "follow_up", 1)
    assert desk.event("REPLY_RECEIVED").summary.startswith("A delivery report came by mail. It is no answer")


@pytest.mark.parametrize("text", ["", "   \n\u200b\n", "\n> could you send us the signed W-9?"])
def test_a_mail_without_a_word_goes_to_a_human(ruled: Desk, text: str) -> None:
    ruled.receive(text)

    case = work(ruled)

    assert (case.status, len(ruled.sends())) == ("INPUT_NEEDED", 1)


def test_a_mail_of_html_alone_is_read_as_its_text(ruled: Desk) -> None:
    Case.objects.update(objective=FACTS)
    ruled.receive("", html="<p>Legal name: Northstar LLC</p><p>EIN: 12-3456789</p><script>x()</script>")

    case = work(ruled)

    assert (case.status, case.result) == ("COMPLETED", {"legalName": "Northstar LLC", "ein": "12-3456789"})


def test_a_mail_whose_text_was_too_large_for_the_webhook_is_fetched(ruled: Desk) -> None:
    Case.objects.update(objective=FACTS)
    ruled.receive("", message_id="<large@northstar.example>")
    fetched = {
        "inbox_id": INBOX,
        "thread_id": "thread-1",
        "message_id": "<large@northstar.example>",
        "from": f"Maya Lindqvist <{MAYA}>",
        "to": [INBOX],
        "subject": "Re: Signed W-9",
        "text": "Legal name: Northstar LLC\nEIN: 12-3456789",
        "labels": ["received"],
        "timestamp": NOW.isoformat(),
    }
    ruled.provider.play(show_thread(fetched))

    ruled.work()

    assert ruled.read().status == "COMPLETED"


def test_what_stands_only_in_quoted_history_completes_nothing(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive(
        "We will come back to you.\n\nOn Mon 23 Nov 2026, Ana wrote:\n> Is your legal name Northstar LLC?",
        message_id="<quoting@northstar.example>",
    )
    quote = Evidence(field="legalName", message_id="<quoting@northstar.example>", quote="Northstar LLC")
    desk.agent.will(GoalAchieved(kind="GOAL_ACHIEVED", result={"legalName": "Northstar LLC"}, evidence=(quote,)))

    case = work(desk)

    assert (case.status, case.result) == ("INPUT_NEEDED", None)
    assert "this could not be found in what was written" in InputRequest.objects.get().question


def test_a_part_of_the_answer_is_thanked_for_and_the_rest_asked_for(ruled: Desk) -> None:
    ruled.receive("Legal name: Northstar LLC")

    case = work(ruled, accept("<answer@offload.example>"))

    [_, sent] = [json.loads(request.body) for request in ruled.sends()]
    assert (case.status, case.attempt_count, case.follow_ups_sent) == ("RUNNING", 2, 0)
    assert "EIN" in sent["text"]
    assert sent["to"] == [f"Maya Lindqvist <{MAYA}>"]


def test_an_attachment_that_is_announced_and_missing_is_asked_for_again(ruled: Desk) -> None:
    Case.objects.update(result_schema=None, objective="Get the signed W-9 form as a PDF attachment from Maya")
    ruled.receive("Please find the signed form attached.")

    case = work(ruled, accept("<answer@offload.example>"))

    assert (case.status, case.attempt_count) == ("RUNNING", 2)
    assert "attach" in json.loads(ruled.sends()[-1].body)["text"].lower()


def test_a_ticket_systems_receipt_gets_no_answer(ruled: Desk) -> None:
    ruled.receive(
        "We have received your request. Ticket #4711 was created; we will get back to you.", subject="[Ticket #4711]"
    )

    case = work(ruled)

    assert (case.status, case.next_action, len(ruled.sends())) == ("RUNNING", "follow_up", 1)


def test_a_named_colleague_is_not_written_to_before_a_human_has_decided(ruled: Desk) -> None:
    ruled.receive("My colleague Tom handles this: tom@northstar.example.")
    assert work(ruled).status == "INPUT_NEEDED"
    assert len(ruled.sends()) == 1

    request = InputRequest.objects.get()
    answer_input_request(ruled.case.id, str(request.id), "Write to Tom.", answered_by="sam", now=NOW)
    work(ruled, accept("<a@offload.example>"), accept("<b@offload.example>"))

    # Whatever the agent makes of it: the recipient of a case never changes.
    assert {tuple(json.loads(request.body)["to"]) for request in ruled.sends()} == {(f"Maya Lindqvist <{MAYA}>",)}


def test_an_answer_to_a_colleagues_mail_goes_to_the_counterparty_of_the_case(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Which entity?", reply_to=["mallory@evil.example"], **{"from": "Tom <tom@northstar.example>"})
    desk.agent.will(ANSWER)

    work(desk, accept("<answer@offload.example>"))

    body = json.loads(desk.sends()[-1].body)
    assert body["to"] == [f"Maya Lindqvist <{MAYA}>"]
    assert {"cc", "bcc", "reply_to"} & set(body) == set()


@pytest.mark.parametrize("verdict", ["fail", "FAIL (p=reject)", {"result": "fail"}])
def test_a_mail_that_its_domain_disowns_goes_to_a_human_before_the_agent_sees_it(desk: Desk, verdict: Any) -> None:
    desk.send_outreach()
    desk.receive("It is me, Maya. All done.", authentication_results={"spf": "pass", "dmarc": verdict})

    case = work(desk)

    assert (case.status, len(desk.agent.views)) == ("INPUT_NEEDED", 1)
    assert InputRequest.objects.get().question.startswith("A mail that names Maya Lindqvist as its sender arrived")


def test_a_verdict_that_only_the_fetched_thread_has_counts(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("It is me, Maya.", message_id="<forged@northstar.example>")
    stored = InboundEmail.objects.get()
    fetched = {
        "inbox_id": INBOX,
        "thread_id": "thread-1",
        "message_id": stored.message_id,
        "from": MAYA,
        "text": "It is me, Maya.",
        "labels": ["received"],
        "timestamp": NOW.isoformat(),
        "authentication_results": {"dmarc": "fail"},
    }
    desk.provider.play(show_thread(fetched))

    desk.work()

    assert (desk.read().status, len(desk.agent.views)) == ("INPUT_NEEDED", 1)


@pytest.mark.parametrize(
    ("results", "note"), [(None, NO_VERDICT), ({}, NO_VERDICT), ({"dmarc": "none"}, ""), ({"dmarc": "pass"}, "")]
)
def test_a_mail_without_a_verdict_against_it_counts_and_a_missing_one_is_noted(
    desk: Desk, results: Any, note: str
) -> None:
    desk.send_outreach()
    desk.receive("Legal name: Northstar LLC", authentication_results=results)
    desk.agent.will(GoalAchieved(kind="GOAL_ACHIEVED", result={"legalName": "Northstar LLC"}))

    assert work(desk).status == "COMPLETED"
    assert AgentRun.objects.get(operation="evaluate").rationale == note


def test_two_machines_that_answer_each_other_are_stopped_by_a_human_and_may_go_on_after_one(desk: Desk) -> None:
    desk.send_outreach()
    for number in range(REPLIES_BEFORE_A_HUMAN):
        desk.receive("Thank you for your message!")
        desk.agent.will(ANSWER)
        work(desk, accept(f"<answer-{number}@offload.example>"))
    desk.receive("Thank you for your message!")
    desk.agent.will(ANSWER)

    case = work(desk)

    request = InputRequest.objects.get()
    assert (case.status, case.attempt_count) == ("INPUT_NEEDED", 1 + REPLIES_BEFORE_A_HUMAN)
    assert request.question.startswith("Offload has answered Maya Lindqvist 6 times in this conversation")
    assert AgentRun.objects.latest("id").guard_hits == ["turns: 6 answers in a row"]
    answer_input_request(case.id, str(request.id), "Go on.", answered_by="sam", now=NOW)
    desk.agent.will(ANSWER)
    assert work(desk, accept("<answer-7@offload.example>")).attempt_count == 2 + REPLIES_BEFORE_A_HUMAN
