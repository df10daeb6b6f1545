"""One mail from its draft to its end, against a provider that plays every fault."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agentmail.models import OutboundEmail, SuppressedAddress
from agentmail.services import suppress
from cases import services
from cases.agent.decisions import InputNeeded
from cases.agent.protocol import AgentMisconfigured, AgentTemporary, AgentUnusable, Draft
from cases.models import AgentRun, CaseEvent, InputRequest
from tests.agentmail.provider import reset, say
from tests.cases.handlers.conftest import DRAFT, MAYA, NOW, Desk, accept

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_first_message_is_sent_and_the_case_runs(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(accept("<out@offload.example>", "thread-1"))

    assert desk.work() == 1

    case = desk.read()
    assert (case.status, case.attempt_count, case.follow_ups_sent) == ("RUNNING", 1, 0)
    assert (case.thread_id, case.next_action, case.next_action_at) == (
        "thread-1",
        "follow_up",
        NOW + timedelta(hours=72),
    )
    [request] = desk.sends()
    mail = OutboundEmail.objects.get()
    assert request.path == "/v0/inboxes/agent%40offload.example/messages/send"
    assert request.headers["idempotency-key"] == f"offload.main.{mail.id}"
    assert json.loads(request.body) == {
        "to": [f"Maya Lindqvist <{MAYA}>"],
        "subject": "Signed W-9 for Acme",
        "text": DRAFT.body,
        "labels": [f"offload-{mail.id}"],
        "headers": {"Auto-Submitted": "auto-generated"},
    }
    event = desk.event("CASE_CREATED")
    assert (event.status, event.summary) == ("done", f"The first message was sent to {MAYA}.")
    assert desk.deliveries() == []


def test_a_lost_answer_is_repeated_byte_for_byte_under_the_same_key_and_the_agent_is_not_asked_again(
    desk: Desk,
) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(reset())
    desk.work()
    waiting = desk.event("CASE_CREATED")
    assert (waiting.status, waiting.failures, waiting.waits) == ("ready", 0, 1)
    assert OutboundEmail.objects.get().state == "unknown"
    assert desk.read().status == "CREATED"

    desk.pass_time(seconds=10)
    desk.provider.play(accept("<out@offload.example>"))
    desk.work()

    first, second = desk.sends()
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert len(desk.agent.views) == 1
    assert (desk.read().attempt_count, AgentRun.objects.count(), OutboundEmail.objects.count()) == (1, 1, 1)


def test_a_provider_that_is_busy_is_waited_for_without_counting(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(say(429, {"name": "RateLimit", "code": "rate_limit_exceeded"}, Retry_After="90"))

    desk.work()

    event = desk.event("CASE_CREATED")
    assert (event.status, event.failures, event.waits) == ("ready", 0, 1)
    assert event.run_after - CaseEvent.objects.get(pk=event.pk).started_at > timedelta(seconds=85)  # type: ignore[operator]
    assert (OutboundEmail.objects.get().state, desk.read().status) == ("frozen", "CREATED")


def test_a_wrong_key_of_ours_holds_the_case_and_never_fails_it(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(say(401, {"name": "Unauthorized", "code": "unknown_api_key", "message": "unknown key"}))

    desk.work()

    event = desk.event("CASE_CREATED")
    assert (event.status, event.failures) == ("ready", 0)
    assert event.last_error.startswith("The mail provider's configuration needs mending")
    assert desk.read().status == "CREATED"


def test_a_refused_mail_fails_the_case_and_tells_the_client(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(
        say(403, {"name": "MessageRejected", "code": "message_rejected", "message": "On the block list"})
    )

    desk.work()

    case = desk.read()
    assert (case.status, case.result_status, case.attempt_count) == ("FAILED", "send_failed", 0)
    assert "On the block list" in case.failure_reason
    [notice] = desk.deliveries()
    assert (notice["event_type"], notice["data"]["resultStatus"]) == ("case.failed", "send_failed")


def test_a_case_that_is_cancelled_while_the_agent_writes_sends_nothing(desk: Desk) -> None:
    def cancel_meanwhile() -> Draft:
        services.cancel_case(desk.case.id, by="the test", now=NOW)
        return DRAFT

    desk.agent.will(cancel_meanwhile)

    desk.work()

    assert desk.sends() == []
    assert (desk.read().status, desk.read().result_status) == ("FAILED", "cancelled")
    assert OutboundEmail.objects.get().state == "abandoned"
    assert desk.event("CASE_CREATED").status == "done"


def test_an_unknown_mail_of_a_case_that_ended_is_looked_up_and_adopted_never_repeated(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(reset())
    desk.work()
    services.cancel_case(desk.case.id, by="the test", now=NOW)

    desk.pass_time(seconds=10)
    label = OutboundEmail.objects.get().label
    found = {"message_id": "<out@offload.example>", "thread_id": "thread-1", "labels": ["sent", label]}
    desk.provider.play(say(200, {"count": 1, "messages": [found]}))
    desk.work()

    assert len(desk.sends()) == 1
    mail, case = OutboundEmail.objects.get(), desk.read()
    assert (mail.state, mail.message_id) == ("sent", "<out@offload.example>")
    assert (case.status, case.result_status, case.attempt_count, case.thread_id) == (
        "FAILED",
        "cancelled",
        1,
        "thread-1",
    )


def test_an_unknown_mail_that_is_absent_for_a_minute_is_given_up(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(reset())
    desk.work()
    services.cancel_case(desk.case.id, by="the test", now=NOW)

    states = []
    for _ in range(4):
        desk.pass_time(seconds=25)
        desk.provider.play(say(200, {"count": 0, "messages": []}))
        desk.work()
        states.append(OutboundEmail.objects.get().state)

    assert states == ["unknown", "unknown", "unknown", "abandoned"]
    assert len(desk.sends()) == 1
    assert (desk.event("CASE_CREATED").status, desk.read().attempt_count) == ("done", 0)


def test_after_twenty_hours_an_unknown_mail_is_looked_up_and_its_absence_fails_the_case(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(reset())
    desk.work()

    desk.pass_time(hours=20)
    for _ in range(4):
        desk.provider.play(say(200, {"count": 0, "messages": []}))
        desk.work()
        desk.pass_time(seconds=25)

    assert len(desk.sends()) == 1
    assert (desk.read().status, desk.read().result_status) == ("FAILED", "send_failed")


def test_an_address_that_gets_no_more_mail_gets_none(desk: Desk) -> None:
    suppress(MAYA, "BOUNCED", "no such user", NOW)
    desk.agent.will(DRAFT)

    desk.work()

    assert desk.sends() == []
    assert (desk.read().status, desk.read().result_status) == ("FAILED", "send_failed")
    assert SuppressedAddress.objects.count() == 1


def test_a_question_before_the_first_message_is_put_to_a_human_and_then_the_message_is_written(desk: Desk) -> None:
    desk.agent.will(InputNeeded(kind="INPUT_NEEDED", question="Which entity?"))
    desk.work()
    assert (desk.read().status, desk.sends()) == ("INPUT_NEEDED", [])
    [asked] = desk.deliveries()
    request = InputRequest.objects.get()
    assert asked["data"]["inputRequest"] == "Which entity?"
    assert asked["data"]["inputRequestId"] == str(request.id)
    assert asked["data"]["inputRequestStatus"] == "PENDING"

    services.answer_input_request(desk.case.id, str(request.id), "The LLC", answered_by="sam", now=NOW)
    desk.send_outreach()

    assert (desk.read().status, desk.read().attempt_count) == ("RUNNING", 1)
    assert [answer.answer for answer in desk.agent.views[-1].human_answers] == ["The LLC"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (AgentTemporary("overloaded", 30), "The agent cannot answer for now: overloaded"),
        (AgentMisconfigured("no key"), "The agent's configuration needs mending: no key"),
    ],
)
def test_an_agent_that_cannot_answer_is_waited_for_without_counting(desk: Desk, error: Exception, says: str) -> None:
    desk.agent.will(error)

    desk.work()

    event = desk.event("CASE_CREATED")
    assert (event.status, event.failures, event.last_error) == ("ready", 0, says)
    assert (desk.read().status, AgentRun.objects.count()) == ("CREATED", 0)


def test_an_agent_without_a_usable_answer_leads_to_a_human(desk: Desk) -> None:
    desk.agent.will(AgentUnusable("no valid draft in three tries."))

    desk.work()

    assert desk.read().status == "INPUT_NEEDED"
    assert InputRequest.objects.get().question == (
        "The agent could not write this message: no valid draft in three tries. What should be written to them?"
    )


def test_an_event_that_always_breaks_dies_with_its_reason_and_the_case_keeps_its_status(desk: Desk) -> None:
    for _ in range(5):
        desk.agent.will(ValueError("broken"))
        desk.pass_time(seconds=0)
        desk.work()

    event = desk.event("CASE_CREATED")
    assert (event.status, event.failures, event.last_error) == ("dead", 5, "ValueError: broken")
    assert desk.read().status == "CREATED"


def test_a_worker_that_lost_its_lease_while_thinking_stores_nothing(desk: Desk) -> None:
    def lose_the_lease() -> Draft:
        CaseEvent.objects.update(attempt=99)
        return DRAFT

    desk.agent.will(lose_the_lease)

    desk.work()

    assert (AgentRun.objects.count(), OutboundEmail.objects.count(), desk.sends()) == (0, 0, [])
    assert desk.event("CASE_CREATED").status == "running"


def test_a_bounce_that_outruns_our_commit_still_fails_the_case(desk: Desk) -> None:
    desk.report("message.bounced", "<out@offload.example>", type="Permanent", recipients=[{"address": MAYA}])
    desk.agent.will(DRAFT)
    desk.provider.play(accept("<out@offload.example>"))

    desk.work()

    case = desk.read()
    assert (case.status, case.result_status, case.attempt_count) == ("FAILED", "BOUNCED", 1)
    assert [notice["event_type"] for notice in desk.deliveries()] == ["case.failed"]


@pytest.mark.parametrize(
    ("event_type", "values", "result_status"),
    [
        ("message.bounced", {"type": "Permanent", "sub_type": "General", "recipients": [{"address": MAYA}]}, "BOUNCED"),
        ("message.complained", {"type": "abuse", "recipients": [MAYA]}, "COMPLAINED"),
        ("message.rejected", {"reason": "virus"}, "REJECTED"),
    ],
)
def test_what_the_provider_reports_ends_the_case_at_once(
    desk: Desk, event_type: str, values: dict[str, object], result_status: str
) -> None:
    message_id = desk.send_outreach()

    desk.report(event_type, message_id, **values)

    case = desk.read()
    assert (case.status, case.result_status, case.next_action_at) == ("FAILED", result_status, None)
    assert desk.event("DELIVERY_FAILED").status == "done"
    [notice] = desk.deliveries()
    assert (notice["event_type"], notice["data"]["resultStatus"]) == ("case.failed", result_status)


def test_a_transient_bounce_changes_nothing(desk: Desk) -> None:
    message_id = desk.send_outreach()

    desk.report("message.bounced", message_id, type="Transient", recipients=[{"address": MAYA}])

    assert (desk.read().status, desk.deliveries()) == ("RUNNING", [])
