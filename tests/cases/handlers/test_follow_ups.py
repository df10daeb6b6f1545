"""Silence: follow-ups, rechecks, their counters and limits, from the sweep to the mail."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from cases.agent.decisions import GoalAchieved, RequiresReply, Snooze
from cases.agent.protocol import Draft
from cases.follow_ups import record_due_events
from cases.handlers.seen import MOST_LOOKS
from cases.models import Case, CaseEvent
from tests.agentmail.provider import say
from tests.cases.handlers.conftest import EMPTY_THREAD, INBOX, MAYA, NOW, Desk, accept, show_thread

pytestmark = pytest.mark.django_db(transaction=True)

REMINDER = Draft("Re: Signed W-9 for Acme", "Hi Maya,\n\na short reminder.\n\nAna", "A follow-up.")
ACHIEVED = GoalAchieved(kind="GOAL_ACHIEVED", result={"ok": True})
NUDGE = RequiresReply(kind="REQUIRES_REPLY", body="Hi Maya,\n\nyou are back, I hope.\n\nAna")
AWAY = Snooze(kind="SNOOZE", until=NOW + timedelta(days=5), reason="away")


def sweep(desk: Desk, **span: float) -> list[object]:
    desk.pass_time(**span)
    return list(record_due_events(desk.clock[0]))


def send_follow_up(desk: Desk) -> None:
    desk.agent.will(REMINDER)
    desk.provider.play(EMPTY_THREAD, accept(f"<{uuid4()}@offload.example>"))
    desk.work()


def snooze(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("I am away until Sunday.")
    desk.agent.will(AWAY)
    desk.provider.play(EMPTY_THREAD)
    desk.work()


def test_a_case_becomes_due_at_its_time_and_not_before(desk: Desk) -> None:
    desk.send_outreach()

    assert sweep(desk, hours=71, minutes=59) == []
    assert sweep(desk, minutes=1) == [desk.case.id]


def test_sweeping_again_records_nothing_twice(desk: Desk) -> None:
    desk.send_outreach()
    sweep(desk, hours=72)

    assert sweep(desk, hours=1) == []
    assert CaseEvent.objects.filter(kind="FOLLOW_UP_DUE").count() == 1


def test_a_follow_up_goes_out_in_the_same_thread_and_uses_the_budget(desk: Desk) -> None:
    outreach = desk.send_outreach()
    sweep(desk, hours=72)

    send_follow_up(desk)

    request, case = desk.sends()[-1], desk.read()
    escaped = outreach.replace("<", "%3C").replace(">", "%3E").replace("@", "%40")
    assert request.path == f"/v0/inboxes/agent%40offload.example/messages/{escaped}/reply"
    assert (case.attempt_count, case.follow_ups_sent, case.status) == (2, 1, "RUNNING")
    assert case.next_action_at == NOW + timedelta(hours=144)


def test_after_the_last_follow_up_silence_ends_the_case_as_max_retries(desk: Desk) -> None:
    desk.send_outreach()
    for _ in range(3):
        sweep(desk, hours=72)
        send_follow_up(desk)
    assert (desk.read().attempt_count, desk.read().follow_ups_sent) == (4, 3)

    sweep(desk, hours=72)
    desk.provider.play(EMPTY_THREAD)
    desk.work()

    case = desk.read()
    assert (case.status, case.result_status, case.attempt_count) == ("FAILED", "max_retries", 4)
    assert len(desk.sends()) == 4
    assert desk.deliveries()[0]["data"]["resultStatus"] == "max_retries"


def test_with_max_attempts_zero_nothing_follows_the_first_message(desk: Desk) -> None:
    Case.objects.update(max_attempts=0)
    desk.send_outreach()

    sweep(desk, hours=72)
    desk.provider.play(EMPTY_THREAD)
    desk.work()

    assert (desk.read().status, desk.read().result_status, len(desk.sends())) == ("FAILED", "max_retries", 1)


def test_an_event_for_a_schedule_that_changed_does_nothing(desk: Desk) -> None:
    desk.send_outreach()
    sweep(desk, hours=72)
    later = NOW + timedelta(hours=100)
    Case.objects.update(next_action_at=later, due_at=later)
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert len(desk.sends()) == 1
    assert desk.event("FOLLOW_UP_DUE").summary == "The schedule had changed since this was due."


def test_a_reply_whose_webhook_was_lost_is_found_before_a_follow_up_goes_out(desk: Desk) -> None:
    desk.send_outreach()
    sweep(desk, hours=72)
    lost = {
        "inbox_id": INBOX,
        "thread_id": "thread-1",
        "message_id": "<lost@northstar.example>",
        "from": f"Maya Lindqvist <{MAYA}>",
        "to": [INBOX],
        "subject": "Re: Signed W-9",
        "text": "Here it is.",
        "labels": ["received"],
        "timestamp": (NOW + timedelta(hours=5)).isoformat(),
    }
    desk.agent.will(ACHIEVED)
    desk.provider.play(show_thread(lost), show_thread(lost))

    desk.work()

    assert len(desk.sends()) == 1
    assert (desk.read().status, desk.read().follow_ups_sent) == ("COMPLETED", 0)
    assert desk.event("REPLY_RECEIVED").payload == {"inbox_id": INBOX, "message_id": "<lost@northstar.example>"}


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
}


@pytest.mark.parametrize("max_attempts", [0, 3])
def test_silence_is_not_believed_while_the_thread_cannot_be_read(desk: Desk, max_attempts: int) -> None:
    """The reply's webhook was lost too: a follow-up, or the end, would pass over it."""
    Case.objects.update(max_attempts=max_attempts)
    desk.send_outreach()
    sweep(desk, hours=72)
    desk.provider.play(say(503, {"message": "away"}))

    desk.work()

    event, case = desk.event("FOLLOW_UP_DUE"), desk.read()
    assert (event.status, event.waits, event.failures) == ("ready", 1, 0)
    assert (case.status, case.attempt_count, len(desk.sends())) == ("RUNNING", 1, 1)

    desk.pass_time(seconds=1)
    desk.agent.will(ACHIEVED)
    desk.provider.play(show_thread(LOST), show_thread(LOST))
    desk.work()
    assert (desk.read().status, desk.read().attempt_count) == ("COMPLETED", 1)


def test_a_recheck_waits_for_the_thread_to_be_readable(desk: Desk) -> None:
    snooze(desk)
    sweep(desk, days=5)
    desk.provider.play(say(503, {"message": "away"}))

    desk.work()

    event = desk.event("RECHECK_DUE")
    assert (event.status, event.waits, len(desk.agent.views)) == ("ready", 1, 2)


def test_a_thread_that_stays_unreadable_holds_a_case_up_for_a_while_only(desk: Desk) -> None:
    desk.send_outreach()
    sweep(desk, hours=72)
    CaseEvent.objects.filter(kind="FOLLOW_UP_DUE").update(waits=MOST_LOOKS)
    desk.agent.will(REMINDER)
    desk.provider.play(say(404, {"name": "not_found"}), accept("<reminder@offload.example>"))

    desk.work()

    assert (desk.read().attempt_count, desk.read().follow_ups_sent) == (2, 1)


def test_a_snooze_is_looked_at_again_when_its_time_comes(desk: Desk) -> None:
    snooze(desk)
    assert (desk.read().next_action, desk.read().next_action_at) == ("recheck", NOW + timedelta(days=5))
    assert sweep(desk, days=4) == []

    assert sweep(desk, days=1) == [desk.case.id]
    desk.agent.will(NUDGE)
    desk.provider.play(EMPTY_THREAD, accept("<nudge@offload.example>"))
    desk.work()

    case = desk.read()
    assert desk.agent.views[-1].reason == "recheck"
    assert (case.attempt_count, case.follow_ups_sent, case.next_action) == (2, 1, "follow_up")


def test_a_nudge_with_the_budget_used_up_ends_the_case_unsent(desk: Desk) -> None:
    Case.objects.update(max_attempts=0)
    snooze(desk)
    sweep(desk, days=6)
    desk.agent.will(NUDGE)
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert (desk.read().status, desk.read().result_status, len(desk.sends())) == ("FAILED", "max_retries", 1)


def test_after_five_snoozes_in_a_row_a_human_is_asked(desk: Desk) -> None:
    snooze(desk)
    for _ in range(5):
        sweep(desk, days=6)
        until = desk.clock[0] + timedelta(days=5)
        desk.agent.will(Snooze(kind="SNOOZE", until=until, reason="still away"))
        desk.provider.play(EMPTY_THREAD)
        desk.work()

    assert desk.read().status == "INPUT_NEEDED"
    assert [notice["event_type"] for notice in desk.deliveries()] == ["case.input_needed"]


def test_the_sweep_takes_many_cases_in_the_order_in_which_they_are_due(desk: Desk) -> None:
    desk.send_outreach()
    due: list[tuple[datetime, object]] = [(NOW + timedelta(hours=72), desk.case.id)]
    for minute in range(30):
        copy = Case.objects.get(pk=desk.case.pk)
        copy.pk, copy.due_at = uuid4(), NOW + timedelta(minutes=minute)
        copy.save(force_insert=True)
        due.append((copy.due_at, copy.pk))

    assert sweep(desk, hours=72) == [case_id for _, case_id in sorted(due, key=lambda one: one[0])]


def test_waiting_for_a_human_and_ended_cases_are_never_due(desk: Desk) -> None:
    desk.send_outreach()
    Case.objects.update(status="INPUT_NEEDED", next_action="", next_action_at=None, due_at=None)

    assert sweep(desk, days=400) == []
