"""What goes wrong between two lines: replies that outrun a worker, decisions that come too late, forged mail."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from agentmail.models import InboundEmail, OutboundEmail, SuppressedAddress
from cases import ledger, services
from cases.agent.decisions import FailedRejected, GoalAchieved, InputNeeded, RequiresReply, Snooze
from cases.agent.offline.agent import OfflineAgent
from cases.agent.protocol import AgentTemporary
from cases.follow_ups import record_due_events
from cases.handlers.tools import Tools
from cases.handlers.work import work_on_case
from cases.models import Attachment, Case, CaseEvent, InputRequest
from tests.agentmail.provider import Conversation, reset, say
from tests.cases.handlers.conftest import DRAFT, EMPTY_THREAD, INBOX, MAYA, NOW, Desk, accept, show_thread
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db(transaction=True)

ACHIEVED = GoalAchieved(kind="GOAL_ACHIEVED", result={"ok": True})
ASK = InputNeeded(kind="INPUT_NEEDED", question="May we sign an NDA?")
ANSWER = RequiresReply(kind="REQUIRES_REPLY", body="Hi Maya,\n\nthe LLC, please.\n\nAna")
LATER = Snooze(kind="SNOOZE", until=NOW + timedelta(days=5), reason="Maya is away.")
LOST = {
    "inbox_id": INBOX,
    "thread_id": "thread-1",
    "message_id": "<lost@northstar.example>",
    "from": f"Maya Lindqvist <{MAYA}>",
    "to": [INBOX],
    "subject": "Re: Signed W-9",
    "text": "Here it is.",
    "labels": ["received"],
    "timestamp": (NOW + timedelta(hours=5)).isoformat(),
    "attachments": [{"attachment_id": "a1", "filename": "w9.pdf", "content_type": "application/pdf", "size": 5}],
}


def sweep(desk: Desk, **span: float) -> list[object]:
    desk.pass_time(**span)
    return list(record_due_events(desk.clock[0]))


def evaluate(desk: Desk, decision: Any) -> None:
    desk.agent.will(decision)
    desk.provider.play(EMPTY_THREAD)
    desk.work()


def kill_event(desk: Desk, kind: str) -> CaseEvent:
    """The worker dies over the event, and that was once too often."""
    event = desk.event(kind)
    CaseEvent.objects.filter(pk=event.pk).update(status="running", lease_until=NOW - timedelta(days=1))
    assert ledger.claim(desk.case.id, "next") is None
    assert desk.event(kind).status == "dead"
    return event


# -- Replies whose webhook was lost


def test_a_lost_reply_survives_a_provider_that_fails_at_the_second_look(desk: Desk) -> None:
    desk.send_outreach()
    sweep(desk, hours=72)
    desk.provider.play(show_thread(LOST), say(503, {"name": "x"}))
    desk.agent.will(ACHIEVED)

    desk.work()

    assert (desk.read().status, len(desk.sends())) == ("COMPLETED", 1)


def test_a_lost_reply_is_kept_with_its_attachments_and_its_late_webhook_changes_nothing(desk: Desk) -> None:
    desk.send_outreach()
    sweep(desk, hours=72)
    desk.provider.play(show_thread(LOST), show_thread(LOST))
    desk.agent.will(ACHIEVED)
    desk.work()

    desk.receive("Here it is.", message_id="<lost@northstar.example>")

    assert (InboundEmail.objects.count(), Attachment.objects.get().name) == (1, "w9.pdf")
    assert desk.deliveries()[-1]["data"]["attachments"][0]["attachmentId"] == "a1"
    assert desk.work() == 0
    assert CaseEvent.objects.filter(kind="REPLY_RECEIVED").count() == 1


def test_a_reply_that_its_thread_does_not_hold_goes_to_a_human(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Here it is.")
    InboundEmail.objects.all().delete()
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert desk.read().status == "INPUT_NEEDED"


# -- Silence that ends while a worker is busy


def test_a_reply_during_the_last_look_at_the_thread_stops_max_retries(desk: Desk) -> None:
    def receive_meanwhile(conversation: Conversation) -> None:
        desk.receive("Here it is!")
        connection.close()
        EMPTY_THREAD(conversation)

    Case.objects.update(max_attempts=0)
    desk.send_outreach()
    sweep(desk, hours=72)
    desk.provider.play(receive_meanwhile, EMPTY_THREAD)
    desk.agent.will(ACHIEVED)

    desk.work()

    assert (desk.read().status, desk.read().result_status) == ("COMPLETED", "goal_achieved")


def test_a_reply_while_a_reminder_without_budget_is_thought_of_stops_max_retries(desk: Desk) -> None:
    def receive_meanwhile() -> RequiresReply:
        desk.receive("I am back, here it is!")
        return ANSWER

    Case.objects.update(max_attempts=0)
    desk.send_outreach()
    desk.receive("Away until Sunday.")
    evaluate(desk, LATER)
    sweep(desk, days=6)
    desk.agent.will(receive_meanwhile, ACHIEVED)
    desk.provider.play(EMPTY_THREAD, EMPTY_THREAD)

    desk.work()

    assert desk.read().result_status == "goal_achieved"


def test_an_answer_given_while_the_agent_thinks_is_left_to_its_own_event(desk: Desk) -> None:
    def answer_meanwhile() -> Snooze:
        request = InputRequest.objects.get()
        services.answer_input_request(desk.case.id, str(request.id), "Yes.", answered_by="sam", now=NOW)
        return LATER

    desk.send_outreach()
    desk.receive("Would you sign our NDA?")
    evaluate(desk, ASK)
    desk.receive("Any news?")
    desk.agent.will(answer_meanwhile, ACHIEVED)
    desk.provider.play(EMPTY_THREAD, EMPTY_THREAD)

    desk.work()

    assert [answer.answer for answer in desk.agent.views[-1].human_answers] == ["Yes."]
    assert desk.read().status == "COMPLETED"


# -- Forged mail and strangers while a question stands

STRANGERS = [
    pytest.param({"event_type": "message.received.unauthenticated"}, id="forged"),
    pytest.param({"from": "Mallory <mallory@elsewhere.example>"}, id="stranger"),
]


@pytest.mark.parametrize("values", STRANGERS)
def test_an_answer_to_an_older_question_vouches_for_no_mail_of_unproven_origin(
    desk: Desk, values: dict[str, str]
) -> None:
    desk.send_outreach()
    desk.receive("Would you sign our NDA?")
    evaluate(desk, ASK)
    desk.receive("All done, the tax ID is 66-6666666.", **values)
    evaluate(desk, ACHIEVED)
    desk.agent._script.clear()
    older = InputRequest.objects.get()
    services.answer_input_request(desk.case.id, str(older.id), "Yes, sign.", answered_by="sam", now=desk.clock[0])
    desk.clock[0] += timedelta(seconds=1)

    evaluate(desk, ACHIEVED)

    assert desk.read().status == "INPUT_NEEDED"
    newest = InputRequest.objects.get(status="PENDING")
    desk.agent._script.clear()
    services.answer_input_request(desk.case.id, str(newest.id), "It counts.", answered_by="sam", now=desk.clock[0])
    evaluate(desk, ACHIEVED)
    assert desk.read().status == "COMPLETED"


@pytest.mark.parametrize(
    "denial", ["No, that mail is forged.", "Nein", "It is not genuine, ignore it.", "Looks like phishing to me"]
)
def test_a_human_who_denies_a_stranger_s_mail_does_not_vouch_for_it(desk: Desk, denial: str) -> None:
    desk.send_outreach()
    desk.receive("All done, the tax ID is 66-6666666.", **{"from": "Eve <eve@elsewhere.example>"})
    desk.clock[0] += timedelta(seconds=1)
    evaluate(desk, ACHIEVED)
    question = InputRequest.objects.get()
    desk.clock[0] += timedelta(seconds=1)
    services.answer_input_request(desk.case.id, str(question.id), denial, answered_by="sam", now=desk.clock[0])

    evaluate(desk, ACHIEVED)

    assert desk.read().status == "INPUT_NEEDED"
    assert InputRequest.objects.filter(status="PENDING").count() == 1


@pytest.mark.parametrize("values", STRANGERS)
def test_the_offline_agent_takes_no_value_from_mail_of_unproven_origin(desk: Desk, values: dict[str, str]) -> None:
    schema = {"type": "object", "properties": {"taxId": {"type": "string"}}, "required": ["taxId"]}
    Case.objects.update(result_schema=schema, objective="Collect the tax ID of Northstar")
    tools = Tools(agent=OfflineAgent(), mail=desk.tools.mail, read_clock=desk.tools.read_clock)
    work: Callable[[], int] = lambda: work_on_case(desk.case.id, "test", tools)  # noqa: E731
    desk.provider.play(accept("<out@offload.example>"))
    work()
    desk.receive("Before I send anything, would you sign our NDA?")
    desk.provider.play(EMPTY_THREAD)
    work()
    desk.receive("Tax ID: 66-6666666", **values)
    desk.provider.play(EMPTY_THREAD)
    work()

    request = InputRequest.objects.get()
    services.answer_input_request(desk.case.id, str(request.id), "Yes, we sign.", answered_by="sam", now=desk.clock[0])
    desk.provider.play(EMPTY_THREAD, accept("<answer@offload.example>"))
    work()

    assert desk.read().status != "COMPLETED"


# -- Dead events


def test_a_requeued_event_does_not_send_what_a_later_answer_has_overtaken(desk: Desk, settings: Settings) -> None:
    settings.OFFLOAD_MAX_FAILURES = 1
    desk.send_outreach()
    desk.receive("Which entity?")
    desk.agent.will(ANSWER)
    desk.provider.play(EMPTY_THREAD, say(429, {"code": "rate_limit_exceeded"}, Retry_After="90"))
    desk.work()
    dead = kill_event(desk, "REPLY_RECEIVED")
    desk.receive("Any news?")
    desk.agent.will(RequiresReply(kind="REQUIRES_REPLY", body="The second answer."))
    desk.provider.play(EMPTY_THREAD, accept("<second@offload.example>"))
    desk.work()

    services.requeue_event(dead.pk)
    desk.work()

    assert [json.loads(request.body)["text"] for request in desk.sends()] == [
        DRAFT.body,
        ANSWER.body,
        "The second answer.",
    ]
    assert desk.read().attempt_count == 2
    assert set(OutboundEmail.objects.values_list("state", flat=True)) == {"sent", "abandoned"}


def test_a_requeued_verdict_that_a_later_mail_has_overtaken_ends_nothing(desk: Desk, settings: Settings) -> None:
    settings.OFFLOAD_MAX_FAILURES = 1
    desk.send_outreach()
    desk.receive("No, sorry.")
    evaluate(desk, FailedRejected(kind="FAILED_REJECTED", reason="no"))
    # The worker died between freezing the verdict and acting on it.
    Case.objects.update(status="RUNNING", result_status="", failure_reason="")
    event = desk.event("REPLY_RECEIVED")
    CaseEvent.objects.filter(pk=event.pk).update(status="dead")
    desk.receive("Sorry, yes of course. On Sunday.")
    evaluate(desk, LATER)

    services.requeue_event(event.pk)
    desk.work()

    assert (desk.read().status, desk.read().next_action) == ("RUNNING", "recheck")


def test_a_dead_event_that_the_case_has_left_behind_ends_nothing_after_three_days(
    desk: Desk, settings: Settings
) -> None:
    settings.OFFLOAD_MAX_FAILURES = 1
    desk.send_outreach()
    desk.receive("Which entity?")
    evaluate(desk, ValueError("broken"))
    assert desk.event("REPLY_RECEIVED").status == "dead"
    desk.receive("Any news?")
    desk.agent.will(ANSWER)
    desk.provider.play(EMPTY_THREAD, accept("<answer@offload.example>"))
    desk.work()
    CaseEvent.objects.filter(status="dead").update(finished_at=NOW - timedelta(hours=73))

    assert services.give_up_old_events(NOW) == 0

    assert desk.read().status == "RUNNING"


def test_giving_up_a_reply_whose_answer_could_not_be_sent_is_a_failed_send(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Which entity?")
    desk.agent.will(ANSWER)
    desk.provider.play(EMPTY_THREAD, reset())
    desk.work()
    event = desk.event("REPLY_RECEIVED")
    CaseEvent.objects.filter(pk=event.pk).update(status="dead", finished_at=NOW)

    services.give_up_event(event.pk, by="sam", now=NOW)

    assert desk.read().result_status == "send_failed"


# -- Waits


def test_a_provider_that_says_retry_after_zero_is_not_asked_again_at_once(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(*[say(429, {"code": "rate_limit_exceeded"}, Retry_After="0")] * 3)

    assert desk.work() == 1

    assert len(desk.sends()) == 1


def test_a_wait_of_many_rounds_never_breaks_the_event(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(reset())
    CaseEvent.objects.update(waits=5000)

    desk.work()

    event = desk.event("CASE_CREATED")
    assert (event.status, event.failures, event.waits) == ("ready", 0, 5001)


def test_an_event_recorded_while_the_head_runs_does_not_wait_behind_its_backoff(desk: Desk) -> None:
    def receive_meanwhile() -> Snooze:
        desk.receive("Never mind.")
        raise AgentTemporary("busy", 3600)

    desk.send_outreach()
    desk.receive("A question.")
    desk.agent.will(receive_meanwhile)
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    first = CaseEvent.objects.filter(kind="REPLY_RECEIVED").earliest("id")
    assert first.started_at is not None
    assert first.run_after - first.started_at < timedelta(seconds=30)


def test_an_error_that_quotes_a_nul_is_stored(desk: Desk) -> None:
    desk.agent.will(ValueError("bad \x00 text"))

    desk.work()

    assert desk.event("CASE_CREATED").last_error == "ValueError: bad \ufffd text"


# -- Clocks


@pytest.mark.parametrize("offset", [timedelta(hours=-20), timedelta(hours=6)])
def test_the_provider_s_clock_dates_nothing_of_ours(desk: Desk, offset: timedelta) -> None:
    message_id = desk.send_outreach()
    desk.clock[0] += timedelta(hours=30)

    desk.report(
        "message.bounced",
        message_id,
        type="Permanent",
        recipients=[{"address": MAYA}],
        timestamp=(desk.clock[0] + offset).isoformat(),
    )

    assert desk.read().updated_at == desk.clock[0]
    assert Delivery.objects.get().next_attempt_at == desk.clock[0]


def test_a_recheck_that_is_put_off_to_the_very_same_moment_is_due_again(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Away.")
    evaluate(desk, LATER)
    desk.pass_time(days=5, seconds=-3)
    list(record_due_events(NOW + timedelta(days=5)))
    evaluate(desk, LATER)

    assert sweep(desk, days=1) == [desk.case.id]


# -- The provider


def test_an_inbox_that_the_provider_does_not_know_holds_the_case(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(say(404, {"name": "NotFoundError", "code": "not_found", "message": "Inbox not found"}))

    desk.work()

    assert desk.read().status == "CREATED"
    assert "AGENTMAIL_INBOX_ID" in desk.event("CASE_CREATED").last_error


def test_a_bounce_that_names_where_our_address_forwards_to_suppresses_ours(desk: Desk) -> None:
    message_id = desk.send_outreach()

    desk.report("message.bounced", message_id, type="Permanent", recipients=[{"address": "maya.l@forward.example"}])

    assert desk.read().result_status == "BOUNCED"
    assert SuppressedAddress.objects.get().address == MAYA


@pytest.mark.parametrize("length", [998, 1000])
def test_ids_as_long_as_a_mail_header_allows_are_kept(desk: Desk, length: int) -> None:
    desk.send_outreach()

    desk.receive("Here.", attachments=[{"attachment_id": "a" * length, "filename": "w9.pdf", "size": 5}])

    assert len(Attachment.objects.get().attachment_id) == length


def test_a_worker_that_lost_its_lease_during_a_send_still_keeps_the_ids(desk: Desk) -> None:
    def take_over(conversation: Conversation) -> None:
        CaseEvent.objects.update(attempt=99)
        connection.close()
        accept("<out@offload.example>", "thread-1")(conversation)

    desk.agent.will(DRAFT)
    desk.provider.play(take_over)
    desk.work()
    mail = OutboundEmail.objects.get()
    assert (mail.state, mail.message_id) == ("sent", "<out@offload.example>")

    CaseEvent.objects.update(lease_until=NOW - timedelta(days=1))
    desk.work()

    assert (desk.read().status, desk.read().attempt_count, len(desk.sends())) == ("RUNNING", 1, 1)
