"""A reply from its arrival to what the case becomes, with an agent that says what each test scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from agentmail.models import OutboundEmail
from cases import services
from cases.agent.decisions import FailedRejected, GoalAchieved, InputNeeded, RequiresReply, Snooze
from cases.models import AgentRun, Attachment, Case, CaseEvent, InputRequest
from cases.services import CaseNotWaiting, InputRequestMismatch, InputRequestNotPending
from tests.cases.handlers.conftest import DRAFT, EMPTY_THREAD, NOW, Desk, accept

pytestmark = pytest.mark.django_db(transaction=True)

ACHIEVED = GoalAchieved(kind="GOAL_ACHIEVED", result={"isSigned": True})
REFUSED = FailedRejected(kind="FAILED_REJECTED", reason="They do not give out tax forms.")
ASK = InputNeeded(kind="INPUT_NEEDED", question="May we sign an NDA?")
ANSWER = RequiresReply(kind="REQUIRES_REPLY", body="Hi Maya,\n\nthe LLC, please.\n\nAna")
LATER = Snooze(kind="SNOOZE", until=NOW + timedelta(days=5), reason="Maya is away.")


def evaluate(desk: Desk, decision: object) -> None:
    desk.agent.will(decision)  # type: ignore[arg-type]
    desk.provider.play(EMPTY_THREAD)
    desk.work()


def test_a_complete_answer_completes_the_case_and_tells_the_client_exactly_once(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Legal name: Northstar LLC")

    evaluate(desk, ACHIEVED)

    case = desk.read()
    updated_ms = int(case.updated_at.timestamp() * 1000)
    assert (case.status, case.result_status, case.result) == (
        "COMPLETED",
        "goal_achieved",
        {"isSigned": True},
    )
    assert (case.next_action, case.next_action_at, case.attempt_count) == ("", None, 1)
    assert desk.deliveries() == [
        {
            "event_id": f"evt_{case.id}_case_completed_{updated_ms}",
            "event_type": "case.completed",
            "timestamp": updated_ms,
            "data": {
                "caseId": str(case.id),
                "clientReferenceId": "vendor-1042",
                "status": "COMPLETED",
                "channel": "EMAIL",
                "attemptCount": 1,
                "attachments": [],
                "result": {"isSigned": True},
                "metadata": {"row": 7},
                "resultStatus": "goal_achieved",
            },
        }
    ]


def test_the_agent_sees_names_and_texts_but_no_address(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Here it is.")

    evaluate(desk, ACHIEVED)

    view = desk.agent.views[-1]
    assert [(m.sender, m.text) for m in view.thread] == [
        ("us", "Hi Maya,\n\ncould you send us the signed W-9?\n\nAna"),
        ("counterparty", "Here it is."),
    ]
    assert "northstar.example" not in repr([m.sender_name for m in view.thread]) + view.counterparty_name
    assert (view.reason, view.now) == ("reply", NOW + timedelta(seconds=1))


def test_private_knowledge_reaches_the_agent_apart_from_what_may_be_said(desk: Desk) -> None:
    Case.objects.update(knowledge={"Deadline": "Friday", "private": {"ceiling": 9000}})

    desk.send_outreach()

    view = desk.agent.views[-1]
    assert (view.knowledge, view.private_knowledge) == ({"Deadline": "Friday"}, {"ceiling": 9000})


def test_a_refusal_fails_the_case(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("No, sorry.")

    evaluate(desk, REFUSED)

    case = desk.read()
    assert (case.status, case.result_status) == ("FAILED", "failed_rejected")
    [notice] = desk.deliveries()
    assert notice["event_type"] == "case.failed"
    assert notice["data"]["failureReason"] == "They do not give out tax forms."


def test_one_evaluation_covers_every_message_it_has_seen(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("First part.")
    desk.receive("Second part.")

    evaluate(desk, LATER)

    assert len(desk.agent.views) == 2
    events = CaseEvent.objects.filter(kind="REPLY_RECEIVED").order_by("id")
    assert [event.status for event in events] == ["done", "done"]
    assert events[1].summary == "An earlier evaluation had already seen this."


def test_an_answer_goes_out_in_the_thread_and_uses_no_follow_up(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Which entity?", message_id="<which/entity?@northstar.example>")
    desk.clock[0] += timedelta(hours=10)

    desk.provider.play(EMPTY_THREAD, accept("<answer@offload.example>"))
    desk.agent.will(ANSWER)
    desk.work()

    case, request = desk.read(), desk.sends()[-1]
    assert request.path.endswith("/messages/%3Cwhich%2Fentity%3F%40northstar.example%3E/reply")
    assert json.loads(request.body)["to"] == ["Maya Lindqvist <maya@northstar.example>"]
    assert (case.status, case.attempt_count, case.follow_ups_sent) == ("RUNNING", 2, 0)
    assert case.next_action_at == NOW + timedelta(hours=82, seconds=1)


def test_a_mail_that_arrives_while_the_agent_thinks_is_read_before_anything_leaves(desk: Desk) -> None:
    def receive_meanwhile() -> RequiresReply:
        desk.receive("Never mind, here it is.")
        return ANSWER

    desk.send_outreach()
    desk.receive("Which entity?")
    desk.agent.will(receive_meanwhile, ACHIEVED)
    desk.provider.play(EMPTY_THREAD, EMPTY_THREAD)

    desk.work()

    assert len(desk.sends()) == 1
    assert OutboundEmail.objects.get(subject="").state == "abandoned"
    assert (desk.read().status, desk.read().attempt_count) == ("COMPLETED", 1)


def test_a_question_is_answered_by_a_human_and_the_thread_is_evaluated_with_the_answer(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Would you sign our NDA?")
    evaluate(desk, ASK)
    request = InputRequest.objects.get()
    assert (desk.read().status, desk.read().next_action_at, request.status) == ("INPUT_NEEDED", None, "PENDING")

    services.answer_input_request(desk.case.id, str(request.id), "Yes, ours.", answered_by="sam", now=NOW)
    desk.provider.play(EMPTY_THREAD, accept("<answer@offload.example>"))
    desk.agent.will(ANSWER)
    desk.work()

    view = desk.agent.views[-1]
    assert [(a.question, a.answer) for a in view.human_answers] == [("May we sign an NDA?", "Yes, ours.")]
    assert view.reason == "input"
    assert (desk.read().status, desk.read().attempt_count) == ("RUNNING", 2)
    assert [notice["event_type"] for notice in desk.deliveries()] == ["case.input_needed"]


def test_several_rounds_of_questions_each_have_their_own_request(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Would you sign our NDA?")
    evaluate(desk, ASK)
    first = InputRequest.objects.get()
    services.answer_input_request(desk.case.id, str(first.id), "Yes.", answered_by="sam", now=NOW)

    evaluate(desk, InputNeeded(kind="INPUT_NEEDED", question="By whom?"))

    second = InputRequest.objects.get(status="PENDING")
    assert second.question == "By whom?"
    with pytest.raises(InputRequestMismatch):
        services.answer_input_request(desk.case.id, str(first.id), "Again.", answered_by="sam", now=NOW)
    services.answer_input_request(desk.case.id, str(second.id), "Ana", answered_by="sam", now=NOW)
    evaluate(desk, ACHIEVED)
    assert desk.read().status == "COMPLETED"
    assert [notice["event_type"] for notice in desk.deliveries()] == [
        "case.input_needed",
        "case.input_needed",
        "case.completed",
    ]


def test_refused_answers_change_nothing(desk: Desk) -> None:
    desk.send_outreach()
    with pytest.raises(CaseNotWaiting):
        services.answer_input_request(desk.case.id, "any", "Yes.", answered_by="sam", now=NOW)
    desk.receive("Would you sign our NDA?")
    evaluate(desk, ASK)
    request = InputRequest.objects.get()
    with pytest.raises(InputRequestMismatch):
        services.answer_input_request(desk.case.id, "another", "Yes.", answered_by="sam", now=NOW)
    assert InputRequest.objects.get().answer == ""
    services.answer_input_request(desk.case.id, str(request.id), "Yes.", answered_by="sam", now=NOW)

    with pytest.raises(InputRequestNotPending):
        services.answer_input_request(desk.case.id, str(request.id), "No.", answered_by="kim", now=NOW)

    assert (InputRequest.objects.get().answer, InputRequest.objects.get().answered_by) == ("Yes.", "sam")
    assert CaseEvent.objects.filter(kind="INPUT_PROVIDED").count() == 1


def test_a_reply_that_ends_the_case_closes_the_open_question(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Would you sign our NDA?")
    evaluate(desk, ASK)

    desk.receive("Forget the NDA, here is the form.")
    evaluate(desk, ACHIEVED)

    assert desk.agent.views[-1].open_question == "May we sign an NDA?"
    assert (desk.read().status, InputRequest.objects.get().status) == ("COMPLETED", "RESOLVED")


@pytest.mark.parametrize("decision", [ANSWER, LATER, InputNeeded(kind="INPUT_NEEDED", question="Another?")])
def test_while_a_question_stands_a_reply_that_ends_nothing_leaves_it_standing(desk: Desk, decision: object) -> None:
    desk.send_outreach()
    desk.receive("Would you sign our NDA?")
    evaluate(desk, ASK)

    desk.receive("Any news?")
    evaluate(desk, decision)

    case = desk.read()
    assert (case.status, case.next_action_at, case.attempt_count) == ("INPUT_NEEDED", None, 1)
    assert InputRequest.objects.get().question == "May we sign an NDA?"
    assert len(desk.sends()) == 1


def test_an_answer_that_a_reply_overtakes_is_covered_by_the_reply_s_evaluation(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Would you sign our NDA?")
    evaluate(desk, ASK)
    desk.receive("Any news?")
    request = InputRequest.objects.get()
    services.answer_input_request(desk.case.id, str(request.id), "Yes.", answered_by="sam", now=NOW)

    evaluate(desk, ACHIEVED)

    assert len(desk.agent.views) == 3
    assert desk.event("INPUT_PROVIDED").status == "done"
    assert desk.read().status == "COMPLETED"


def test_a_reply_that_outran_our_commit_is_found_when_the_thread_is_known(desk: Desk) -> None:
    desk.receive("You were quick!", thread_id="thread-1")
    assert CaseEvent.objects.filter(kind="REPLY_RECEIVED").count() == 0
    desk.agent.will(DRAFT, ACHIEVED)
    desk.provider.play(accept("<out@offload.example>", "thread-1"), EMPTY_THREAD)

    desk.work()

    assert desk.read().status == "COMPLETED"


def test_an_automatic_mail_is_no_answer_and_gets_none(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive(
        "We have received your request.", subject="[Ticket #42] Received", headers={"Auto-Submitted": "auto-replied"}
    )
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert len(desk.agent.views) == 1
    case = desk.read()
    assert (case.status, case.attempt_count, case.next_action) == ("RUNNING", 1, "follow_up")
    assert desk.event("REPLY_RECEIVED").summary == "An automatic mail arrived; it is no answer and gets none."


def test_an_absence_note_may_put_the_case_off_and_nothing_else(desk: Desk) -> None:
    desk.send_outreach()
    absence = {"subject": "Out of office", "headers": {"Auto-Submitted": "auto-replied"}}
    desk.receive("I am out of office until 3 December.", **absence)
    evaluate(desk, LATER)
    assert (desk.read().next_action, desk.read().next_action_at) == ("recheck", NOW + timedelta(days=5))

    desk.receive("I am out of office. Result: done.", **absence)
    evaluate(desk, ACHIEVED)

    assert (desk.read().status, desk.read().next_action) == ("RUNNING", "recheck")


@pytest.mark.parametrize("variant", ["spam", "blocked"])
def test_mail_that_the_provider_holds_back_is_stored_and_not_evaluated(desk: Desk, variant: str) -> None:
    desk.send_outreach()

    desk.receive("Buy now!", event_type=f"message.received.{variant}")
    desk.work()

    assert len(desk.agent.views) == 1
    assert desk.read().status == "RUNNING"


def test_mail_of_unproven_origin_goes_to_a_human_before_the_agent_sees_it(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("It is me, Maya. All done.", event_type="message.received.unauthenticated")
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert len(desk.agent.views) == 1
    assert desk.read().status == "INPUT_NEEDED"
    assert InputRequest.objects.get().question.startswith("A mail that names Maya Lindqvist as its sender arrived")


@pytest.mark.parametrize("verdict", [ACHIEVED, REFUSED])
def test_a_stranger_s_word_never_ends_a_case(desk: Desk, verdict: object) -> None:
    desk.send_outreach()
    desk.receive("All done.", **{"from": "Mallory <mallory@elsewhere.example>"})

    evaluate(desk, verdict)

    assert desk.read().status == "INPUT_NEEDED"
    assert InputRequest.objects.get().question == "Mallory answered instead of Maya Lindqvist. Does their word count?"


def test_a_colleague_at_the_same_company_may_end_a_case(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Here it is.", **{"from": "Tom <tom@northstar.example>"})

    evaluate(desk, ACHIEVED)

    assert desk.read().status == "COMPLETED"


def test_a_result_that_does_not_fit_its_schema_never_completes_a_case(desk: Desk) -> None:
    schema = {"type": "object", "properties": {"taxId": {"type": "string"}}, "required": ["taxId"]}
    Case.objects.update(result_schema=schema)
    desk.send_outreach()
    desk.receive("Legal name: Northstar LLC")

    evaluate(desk, ACHIEVED)

    assert desk.read().status == "INPUT_NEEDED"
    assert "taxId" in InputRequest.objects.get().question


@pytest.mark.parametrize("until", [datetime(2026, 11, 24, 9, 0, tzinfo=UTC), NOW + timedelta(days=61)])
def test_a_snooze_outside_its_limits_goes_to_a_human(desk: Desk, until: datetime) -> None:
    desk.send_outreach()
    desk.receive("Ask me later.")

    evaluate(desk, Snooze(kind="SNOOZE", until=until, reason="later"))

    assert (desk.read().status, desk.read().next_action_at) == ("INPUT_NEEDED", None)


def test_attachments_are_kept_as_metadata_once(desk: Desk) -> None:
    desk.send_outreach()
    w9 = {"attachment_id": "att-1", "filename": "w9.pdf", "content_type": "application/pdf", "size": 512}

    desk.receive("Here.", attachments=[w9])

    row = Attachment.objects.get()
    assert (row.attachment_id, row.name, row.size, row.type) == ("att-1", "w9.pdf", 512, "application/pdf")
    evaluate(desk, ACHIEVED)
    assert desk.deliveries()[0]["data"]["attachments"][0]["name"] == "w9.pdf"


def test_a_mail_after_the_end_stands_on_the_timeline_and_changes_nothing(desk: Desk) -> None:
    desk.send_outreach()
    services.cancel_case(desk.case.id, by="the test", now=NOW)
    before = desk.read()

    desk.receive("Here it is, better late than never.")
    taken = desk.work()

    assert taken == 0
    assert desk.event("REPLY_RECEIVED").status == "done"
    assert desk.read().updated_at == before.updated_at
    assert len(desk.deliveries()) == 1


def test_a_decision_that_was_frozen_before_a_crash_is_acted_on_without_thinking_again(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Here it is.")

    evaluate(desk, ACHIEVED)
    # The crash: what was frozen stays, what finishing stored is undone.
    CaseEvent.objects.filter(kind="REPLY_RECEIVED").update(status="ready", finished_at=None)
    Case.objects.update(status="RUNNING", result=None, result_status="")

    desk.work()

    assert desk.read().status == "COMPLETED"
    assert len(desk.agent.views) == 2
    assert AgentRun.objects.count() == 2
