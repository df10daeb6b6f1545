"""A paused case: mail is recorded, nothing is claimed, evaluated or sent, and resuming takes everything up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from agentmail.models import OutboundEmail
from cases import ledger, services
from cases.agent.decisions import Decision, GoalAchieved, InputNeeded, RequiresReply
from cases.agent.protocol import Draft
from cases.follow_ups import record_due_events
from cases.handlers.work import handle_claim
from cases.interventions import NotPossible, pause_case, resume_case
from cases.models import CaseEvent
from cases.transitions import lock_case
from tests.cases.handlers.conftest import DRAFT, EMPTY_THREAD, NOW, Desk, accept
from tests.cases.parallel import in_line

pytestmark = pytest.mark.django_db(transaction=True)

ACHIEVED = GoalAchieved(kind="GOAL_ACHIEVED", result={"ok": True})
ANSWER = RequiresReply(kind="REQUIRES_REPLY", body="Hi Maya,\n\nthe LLC, please.\n\nAna")
REMINDER = Draft("Re: Signed W-9 for Acme", "Hi Maya,\n\na short reminder.\n\nAna", "A follow-up.")


def pause(desk: Desk) -> bool:
    return pause_case(desk.case.id, by="sam", now=desk.clock[0])


def resume(desk: Desk) -> bool:
    return resume_case(desk.case.id, by="sam", now=desk.clock[0])


def pause_while(desk: Desk, thought: Draft | Decision) -> Callable[[], Draft | Decision]:
    """The agent thinks, and meanwhile somebody pauses the case."""

    def think() -> Draft | Decision:
        assert pause(desk)
        return thought

    return think


def test_a_reply_to_a_paused_case_is_recorded_and_not_evaluated(desk: Desk) -> None:
    desk.send_outreach()
    pause(desk)

    desk.receive("Here it is.")

    assert desk.work() == 0
    event, case = desk.event("REPLY_RECEIVED"), desk.read()
    assert (event.status, event.attempt) == ("ready", 0)
    assert (case.status, len(desk.agent.views), desk.deliveries()) == ("RUNNING", 1, [])


def test_a_resumed_case_evaluates_what_came_meanwhile(desk: Desk) -> None:
    desk.send_outreach()
    pause(desk)
    desk.receive("Here it is.")
    desk.agent.will(ACHIEVED)
    desk.provider.play(EMPTY_THREAD)

    assert resume(desk)

    assert desk.work() == 1
    assert (desk.read().status, desk.read().result) == ("COMPLETED", {"ok": True})


def test_no_sweep_asks_for_a_paused_case(desk: Desk) -> None:
    pause(desk)
    assert ledger.sweep() == []

    resume(desk)

    assert ledger.sweep() == [desk.case.id]


def test_a_follow_up_that_falls_due_waits_and_goes_out_after_the_resume(desk: Desk) -> None:
    desk.send_outreach()
    pause(desk)
    desk.pass_time(hours=80)
    assert list(record_due_events(desk.clock[0])) == []

    resume(desk)

    assert desk.event("FOLLOW_UP_DUE").status == "ready"
    desk.agent.will(REMINDER)
    desk.provider.play(EMPTY_THREAD, accept("<f@offload.example>"))
    desk.work()
    assert (desk.read().attempt_count, desk.read().follow_ups_sent) == (2, 1)


def test_the_follow_up_of_a_resume_is_the_one_that_the_sweep_would_have_recorded(desk: Desk) -> None:
    desk.send_outreach()
    pause(desk)
    desk.pass_time(hours=80)
    resume(desk)

    assert list(record_due_events(desk.clock[0])) == []
    assert CaseEvent.objects.filter(kind="FOLLOW_UP_DUE").count() == 1


def test_a_follow_up_that_is_not_due_yet_keeps_its_time(desk: Desk) -> None:
    desk.send_outreach()
    pause(desk)
    desk.pass_time(hours=1)
    resume(desk)

    assert not CaseEvent.objects.filter(kind="FOLLOW_UP_DUE").exists()
    assert desk.read().next_action_at == NOW + timedelta(hours=72)


def test_a_case_that_is_paused_while_its_first_message_is_written_sends_it_after_the_resume(desk: Desk) -> None:
    desk.agent.will(pause_while(desk, DRAFT))

    desk.work()

    mail = OutboundEmail.objects.get()
    assert (desk.sends(), mail.state, mail.attempts, desk.read().status) == ([], "frozen", 0, "CREATED")

    resume(desk)
    desk.provider.play(accept("<o@offload.example>"))
    desk.work()
    assert (len(desk.sends()), desk.read().status, len(desk.agent.views)) == (1, "RUNNING", 1)


def test_a_verdict_that_comes_during_a_pause_is_applied_after_it(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Here it is.")
    desk.agent.will(pause_while(desk, ACHIEVED))
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert (desk.read().status, desk.deliveries()) == ("RUNNING", [])

    resume(desk)
    desk.work()
    assert (desk.read().status, len(desk.agent.views)) == ("COMPLETED", 2)


def test_an_answer_written_during_a_pause_gives_way_to_a_mail_that_came_after_it(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Which one?")
    desk.agent.will(pause_while(desk, ANSWER))
    desk.provider.play(EMPTY_THREAD)
    desk.work()
    desk.receive("Never mind, here it is.")
    desk.agent.will(ACHIEVED)
    desk.provider.play(EMPTY_THREAD)

    resume(desk)
    desk.work()

    assert (len(desk.sends()), desk.read().status) == (1, "COMPLETED")


def test_a_claim_of_just_before_the_pause_asks_no_agent(desk: Desk) -> None:
    claimed = ledger.claim(desk.case.id, "slow")
    assert claimed is not None
    pause(desk)

    handle_claim(claimed, desk.tools)

    event = desk.event("CASE_CREATED")
    assert (event.status, event.failures, desk.agent.views) == ("ready", 0, [])
    assert event.last_error == "The case is paused; this goes on when somebody resumes it."


def test_a_bounce_ends_a_paused_case(desk: Desk) -> None:
    message_id = desk.send_outreach()
    pause(desk)

    desk.report("message.bounced", message_id, type="Permanent", recipients=[{"address": "maya@northstar.example"}])

    case = desk.read()
    assert (case.status, case.result_status, case.paused_at) == ("FAILED", "BOUNCED", None)


def test_a_cancelled_case_is_no_longer_paused_and_its_line_comes_to_an_end(desk: Desk) -> None:
    desk.send_outreach()
    pause(desk)
    desk.receive("Here it is.")

    services.cancel_case(desk.case.id, by="sam", now=desk.clock[0])

    assert desk.read().paused_at is None
    desk.work()
    assert not CaseEvent.objects.exclude(status="done").exists()
    assert len(desk.sends()) == 1


def test_an_answer_to_a_question_waits_for_the_resume(desk: Desk) -> None:
    desk.agent.will(InputNeeded(kind="INPUT_NEEDED", question="Which company?"))
    desk.work()
    pause(desk)
    question = desk.case.input_requests.get()

    services.answer_input_request(desk.case.id, str(question.id), "The LLC.", answered_by="sam", now=desk.clock[0])

    assert (desk.work(), desk.read().status) == (0, "INPUT_NEEDED")
    resume(desk)
    desk.send_outreach()
    assert desk.read().status == "RUNNING"


def test_pausing_twice_is_one_pause_and_shows_the_client_nothing(desk: Desk) -> None:
    before = desk.read().updated_at

    assert [pause(desk), pause(desk)] == [True, False]
    assert [resume(desk), resume(desk)] == [True, False]

    kinds = list(desk.case.events.order_by("id").values_list("kind", "status", "summary"))
    assert kinds[1:] == [("CASE_PAUSED", "done", "Paused by sam."), ("CASE_RESUMED", "done", "Resumed by sam.")]
    assert (desk.read().updated_at, desk.deliveries()) == (before, [])


def test_a_case_that_has_ended_cannot_be_paused(desk: Desk) -> None:
    services.cancel_case(desk.case.id, by="sam", now=desk.clock[0])

    with pytest.raises(NotPossible, match=r"The case has ended; there is nothing to pause\."):
        pause(desk)

    assert desk.read().paused_at is None


def test_a_given_up_step_of_a_paused_case_ends_it_only_three_days_after_the_resume(desk: Desk) -> None:
    CaseEvent.objects.update(status="dead", failures=3, finished_at=NOW - timedelta(hours=100))
    pause(desk)
    assert services.give_up_old_events(desk.clock[0]) == 0

    resume(desk)

    assert services.give_up_old_events(desk.clock[0]) == 0
    assert desk.read().status == "CREATED"


def test_a_resume_that_outruns_a_worker_which_found_the_case_paused_costs_no_wait(desk: Desk) -> None:
    claimed = ledger.claim(desk.case.id, "slow")
    assert claimed is not None
    pause(desk)
    desk.agent.will(DRAFT)
    desk.provider.play(accept("<o@offload.example>"))

    results = in_line(lambda: lock_case(desk.case.id), lambda: resume(desk), lambda: handle_claim(claimed, desk.tools))

    assert results == [True, None]
    assert (len(desk.sends()), desk.event("CASE_CREATED").status) == (1, "done")


def test_a_pause_just_before_an_old_step_is_given_up_keeps_the_case(desk: Desk) -> None:
    CaseEvent.objects.update(status="dead", failures=3, finished_at=NOW - timedelta(hours=100))

    results = in_line(
        lambda: lock_case(desk.case.id), lambda: pause(desk), lambda: services.give_up_old_events(desk.clock[0])
    )

    assert results == [True, 0]
    assert (desk.read().status, desk.deliveries()) == ("CREATED", [])
