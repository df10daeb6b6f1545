"""What staff may do to a case: hurry it, have it judged again, close it; and what they hear when they cannot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agentmail.suppression import suppress
from cases import ledger, services
from cases.agent.decisions import FailedRejected, GoalAchieved, InputNeeded, RequiresReply, Snooze
from cases.agent.protocol import Draft
from cases.closing import BadResult
from cases.follow_ups import record_due_events
from cases.interventions import (
    STALE,
    NotPossible,
    close_as_failed,
    close_with_result,
    get_latest_event_id,
    pause_case,
    reevaluate_last_reply,
    send_follow_up_now,
)
from cases.models import Case, CaseEvent, InputRequest
from tests.cases.handlers.conftest import DRAFT, EMPTY_THREAD, MAYA, NOW, Desk, accept

pytestmark = pytest.mark.django_db(transaction=True)

ACHIEVED = GoalAchieved(kind="GOAL_ACHIEVED", result={"ok": True})
ASKED = InputNeeded(kind="INPUT_NEEDED", question="Old or new?")
AWAY = Snooze(kind="SNOOZE", until=NOW + timedelta(days=5), reason="away")
ANSWER = RequiresReply(kind="REQUIRES_REPLY", body="Hi Maya,\n\nthe LLC, please.\n\nAna")
REMINDER = Draft("Re: Signed W-9 for Acme", "Hi Maya,\n\na short reminder.\n\nAna", "A follow-up.")


def hurry(desk: Desk, seen: int | None = None) -> bool:
    seen = get_latest_event_id(desk.case) if seen is None else seen
    return send_follow_up_now(desk.case.id, seen_event_id=seen, by="sam", now=desk.clock[0])


def judge_again(desk: Desk, seen: int | None = None) -> bool:
    seen = get_latest_event_id(desk.case) if seen is None else seen
    return reevaluate_last_reply(desk.case.id, seen_event_id=seen, by="sam", now=desk.clock[0])


def hear(desk: Desk, *decisions: Any) -> None:
    """A reply comes and is evaluated."""
    desk.receive("I shall see.")
    desk.agent.will(*decisions)
    desk.provider.play(EMPTY_THREAD)
    desk.work()


def take_stock(desk: Desk) -> tuple[Any, ...]:
    """All that a refused call may not change."""
    case = Case.objects.values().get(pk=desk.case.pk)
    return (case, list(CaseEvent.objects.values().order_by("id")), len(desk.sends()), desk.deliveries())


# -- The follow-up


def test_a_follow_up_is_sent_before_its_time_and_uses_the_budget(desk: Desk) -> None:
    desk.send_outreach()
    desk.pass_time(hours=2)

    assert hurry(desk)
    desk.agent.will(REMINDER)
    desk.provider.play(EMPTY_THREAD, accept("<f@offload.example>"))
    desk.work()

    case = desk.read()
    assert (case.attempt_count, case.follow_ups_sent, case.status) == (2, 1, "RUNNING")
    assert case.next_action_at == NOW + timedelta(hours=74)
    assert desk.event("FOLLOW_UP_DUE").payload["by"] == "sam"


def test_the_same_page_sent_twice_sends_one_follow_up(desk: Desk) -> None:
    desk.send_outreach()
    seen = get_latest_event_id(desk.case)

    assert hurry(desk, seen)
    desk.agent.will(REMINDER)
    desk.provider.play(EMPTY_THREAD, accept("<f@offload.example>"))
    desk.work()

    assert not hurry(desk, seen)
    assert (desk.work(), desk.read().follow_ups_sent, len(desk.sends())) == (0, 1, 2)


def test_the_sweep_adds_nothing_to_a_follow_up_that_staff_brought_forward(desk: Desk) -> None:
    desk.send_outreach()
    desk.pass_time(minutes=1)
    hurry(desk)

    assert list(record_due_events(desk.clock[0] + timedelta(hours=1))) == []
    assert CaseEvent.objects.filter(kind="FOLLOW_UP_DUE").count() == 1


def test_two_follow_ups_at_one_instant_have_two_keys(desk: Desk) -> None:
    desk.send_outreach()
    for number in (1, 2):
        assert hurry(desk)
        desk.agent.will(REMINDER)
        desk.provider.play(EMPTY_THREAD, accept(f"<f{number}@offload.example>"))
        desk.work()

    assert (desk.read().follow_ups_sent, CaseEvent.objects.filter(kind="FOLLOW_UP_DUE").count()) == (2, 2)


def test_a_reply_that_comes_first_is_evaluated_instead_of_the_follow_up(desk: Desk) -> None:
    desk.send_outreach()
    hurry(desk)
    desk.receive("Here it is.")
    desk.agent.will(ACHIEVED)
    desk.provider.play(EMPTY_THREAD, EMPTY_THREAD)

    desk.work()

    assert (desk.read().status, len(desk.sends()), desk.read().follow_ups_sent) == ("COMPLETED", 1, 0)


def test_a_case_that_was_put_off_can_be_followed_up_at_once(desk: Desk) -> None:
    desk.send_outreach()
    hear(desk, AWAY)

    hurry(desk)
    desk.agent.will(REMINDER)
    desk.provider.play(EMPTY_THREAD, accept("<f@offload.example>"))
    desk.work()

    assert (desk.read().next_action, desk.read().follow_ups_sent) == ("follow_up", 1)


def spend_all(desk: Desk) -> None:
    desk.send_outreach()
    Case.objects.update(max_attempts=0)


def ask(desk: Desk) -> None:
    desk.send_outreach()
    hear(desk, ASKED)


def hold(desk: Desk) -> None:
    desk.send_outreach()
    pause_case(desk.case.id, by="rita", now=desk.clock[0])


def end(desk: Desk) -> None:
    desk.send_outreach()
    services.cancel_case(desk.case.id, by="rita", now=desk.clock[0])


def close_the_address(desk: Desk) -> None:
    desk.send_outreach()
    suppress(MAYA, "BOUNCED", "", desk.clock[0])


def receive_a_reply(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Here it is.")


def be_at_work(desk: Desk) -> None:
    receive_a_reply(desk)
    assert ledger.claim(desk.case.id, "worker") is not None


def lose_a_step(desk: Desk) -> None:
    receive_a_reply(desk)
    CaseEvent.objects.filter(status="ready").update(status="dead", finished_at=NOW, failures=3)


def do_nothing(desk: Desk) -> None:
    """The case is new."""


@pytest.mark.parametrize(
    ("arrange", "why"),
    [
        (do_nothing, "The first message has not been sent yet"),
        (spend_all, "Every follow-up of this case is used: 0 of 0."),
        (ask, "waits for an answer from one of us"),
        (hold, "The case is paused. Resume it first."),
        (end, "The case has ended, and nothing leaves an end."),
        (close_the_address, f"{MAYA} gets no more mail"),
        (receive_a_reply, "at work on something this very moment"),
        (be_at_work, "at work on something this very moment"),
        (lose_a_step, "A step of this case was given up. Requeue it first"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_follow_up_is_refused_in_words_and_nothing_changes(desk: Desk, arrange: Any, why: str) -> None:
    arrange(desk)
    before = take_stock(desk)

    with pytest.raises(NotPossible) as refusal:
        hurry(desk)

    assert why in refusal.value.sentence
    assert take_stock(desk) == before


def test_a_page_that_is_out_of_date_sends_nothing(desk: Desk) -> None:
    desk.send_outreach()
    seen = get_latest_event_id(desk.case)
    hear(desk, AWAY)
    before = take_stock(desk)

    with pytest.raises(NotPossible) as refusal:
        hurry(desk, seen)

    assert refusal.value.sentence == STALE
    assert take_stock(desk) == before


# -- The last reply again


def test_the_last_reply_is_judged_again_as_if_it_had_just_come(desk: Desk) -> None:
    desk.send_outreach()
    hear(desk, AWAY)

    assert judge_again(desk)
    desk.agent.will(ACHIEVED)
    desk.provider.play(EMPTY_THREAD)
    desk.work()

    first, second = desk.agent.views[1:]
    assert second.new_message_ids == first.new_message_ids != ()
    assert (second.reason, desk.read().status) == ("reply", "COMPLETED")


def test_the_same_page_sent_twice_asks_the_agent_once(desk: Desk) -> None:
    desk.send_outreach()
    hear(desk, AWAY)
    seen = get_latest_event_id(desk.case)

    assert judge_again(desk, seen)
    desk.agent.will(AWAY)
    desk.provider.play(EMPTY_THREAD)
    desk.work()

    assert not judge_again(desk, seen)
    assert (desk.work(), len(desk.agent.views)) == (0, 3)
    assert CaseEvent.objects.filter(kind="REEVALUATION_ASKED").count() == 1


def test_a_reply_may_be_judged_again_after_that_was_done(desk: Desk) -> None:
    desk.send_outreach()
    hear(desk, AWAY)
    for _ in range(2):
        assert judge_again(desk)
        desk.agent.will(AWAY)
        desk.provider.play(EMPTY_THREAD)
        desk.work()

    assert CaseEvent.objects.filter(kind="REEVALUATION_ASKED", status="done").count() == 2


def test_judging_again_may_end_in_an_answer_to_the_counterparty(desk: Desk) -> None:
    desk.send_outreach()
    hear(desk, AWAY)
    judge_again(desk)
    desk.agent.will(ANSWER)
    desk.provider.play(EMPTY_THREAD, accept("<a@offload.example>"))

    desk.work()

    assert (len(desk.sends()), desk.read().attempt_count, desk.read().follow_ups_sent) == (2, 2, 0)


def test_a_question_closes_when_the_reply_turns_out_to_be_a_refusal(desk: Desk) -> None:
    ask(desk)
    judge_again(desk)
    desk.agent.will(FailedRejected(kind="FAILED_REJECTED", reason="No."))
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert (desk.read().status, InputRequest.objects.get().status) == ("FAILED", "RESOLVED")


@pytest.mark.parametrize(
    ("arrange", "why"),
    [
        (do_nothing, "No reply has arrived yet"),
        (spend_all, "No reply has arrived yet"),
        (hold, "The case is paused. Resume it first."),
        (end, "The case has ended"),
        (receive_a_reply, "at work on something this very moment"),
        (lose_a_step, "Requeue that one instead."),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_judging_again_is_refused_in_words_and_nothing_changes(desk: Desk, arrange: Any, why: str) -> None:
    arrange(desk)
    before = take_stock(desk)

    with pytest.raises(NotPossible) as refusal:
        judge_again(desk)

    assert why in refusal.value.sentence
    assert take_stock(desk) == before


# -- By hand


def close(desk: Desk, text: str) -> Case:
    return close_with_result(desk.case.id, text, by="sam", now=desk.clock[0])


def test_a_case_is_completed_by_hand_and_its_client_is_told(desk: Desk) -> None:
    ask(desk)

    close(desk, '{"w9": "old"}')

    case = desk.read()
    assert (case.status, case.result_status, case.result) == ("COMPLETED", "goal_achieved", {"w9": "old"})
    assert [body["event_type"] for body in desk.deliveries()] == ["case.input_needed", "case.completed"]
    assert desk.deliveries()[-1]["data"]["result"] == {"w9": "old"}
    assert InputRequest.objects.get().status == "RESOLVED"
    assert (case.next_action_at, desk.event("CASE_CLOSED").summary) == (None, "Closed by sam with a result.")


def test_a_case_is_failed_by_hand_with_a_reason_for_its_client(desk: Desk) -> None:
    desk.send_outreach()

    close_as_failed(desk.case.id, "Maya called: she will not.", by="sam", now=desk.clock[0])

    case = desk.read()
    assert (case.status, case.result_status) == ("FAILED", "failed_rejected")
    assert [body["data"]["failureReason"] for body in desk.deliveries()] == ["Maya called: she will not."]


def test_nothing_is_sent_after_a_close(desk: Desk) -> None:
    def close_meanwhile() -> Draft:
        close(desk, "{}")
        return DRAFT

    desk.agent.will(close_meanwhile)

    desk.work()

    assert (desk.sends(), desk.read().status) == ([], "COMPLETED")
    assert not CaseEvent.objects.exclude(status="done").exists()


def test_the_second_to_close_is_told_who_was_first(desk: Desk) -> None:
    close_as_failed(desk.case.id, "She will not.", by="rita", now=desk.clock[0])
    before = take_stock(desk)

    with pytest.raises(NotPossible) as refusal:
        close(desk, "{}")

    assert refusal.value.sentence == "Closed by rita without the result: She will not."
    assert take_stock(desk) == before


SCHEMA = {
    "type": "object",
    "properties": {"w9": {"type": "object", "properties": {"year": {"type": "integer"}}}, "ok": {"type": "boolean"}},
    "required": ["ok"],
}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('{"w9": {"year": "old"}, "ok": true}', ["result.w9: 'old' is not of type 'integer' (at w9/year)."]),
        ('{"ok": 1, "w9": 2}', ["result.ok: 1 is not of type 'boolean'.", "result.w9: 2 is not of type 'object'."]),
        ("{}", ["result.ok: is missing."]),
        ("[]", ['result: must be a JSON object, written between { and }, such as {"approved": true}.']),
        ('{"ok": NaN}', ["result: cannot be read: NaN is no JSON value."]),
        ('{"ok": true, "n": 1e999}', ["result.n: is beyond the numbers that can be stored."]),
        ('{"ok": true, "n": ["a\\u0000"]}', ["result.n[0]: holds a character that cannot be stored."]),
        ('{"ok": true, "\\ud800": 1}', ["result: holds a character that cannot be stored."]),
    ],
)
def test_a_result_that_cannot_stand_is_refused_with_the_place(desk: Desk, text: str, faults: list[str]) -> None:
    Case.objects.update(result_schema=SCHEMA)
    before = take_stock(desk)

    with pytest.raises(BadResult) as refusal:
        close(desk, text)

    assert sorted(refusal.value.faults) == faults
    assert take_stock(desk) == before


def test_text_that_is_no_json_is_refused_with_the_place(desk: Desk) -> None:
    with pytest.raises(BadResult, match=r"result: is no JSON: .* in line 2, character 1\."):
        close(desk, '{"ok": true,\n}')

    assert desk.read().status == "CREATED"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50 + "1" + "}" * 50])
def test_a_result_of_absurd_depth_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(BadResult):
        close(desk, text)

    assert desk.read().status == "CREATED"
