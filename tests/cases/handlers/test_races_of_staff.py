"""Staff against each other, against a sweep and against a worker that is sending, on real connections."""

from __future__ import annotations

import pytest

from cases import ledger
from cases.agent.protocol import Draft
from cases.follow_ups import record_due_events
from cases.handlers.work import handle_claim
from cases.interventions import (
    NotPossible,
    close_as_failed,
    close_with_result,
    get_latest_event_id,
    send_follow_up_now,
)
from cases.models import Case, CaseEvent, CaseNote
from cases.teamwork import add_note
from cases.transitions import lock_case
from tests.agentmail.provider import Conversation
from tests.cases.handlers.conftest import DRAFT, EMPTY_THREAD, NOW, Desk, accept
from tests.cases.parallel import Call, in_line, in_parallel

pytestmark = pytest.mark.django_db(transaction=True)

REMINDER = Draft("Re: Signed W-9 for Acme", "Hi Maya,\n\na short reminder.\n\nAna", "A follow-up.")


def lock(desk: Desk) -> Call:
    return lambda: lock_case(desk.case.id)


def hurry(desk: Desk, seen: int) -> Call:
    return lambda: send_follow_up_now(desk.case.id, seen_event_id=seen, by="sam", now=desk.clock[0])


def close(desk: Desk, by: str) -> Call:
    return lambda: close_with_result(desk.case.id, '{"ok": true}', by=by, now=desk.clock[0])


def test_two_clicks_on_a_note_at_once_are_one_note(desk: Desk) -> None:
    def write() -> int:
        return add_note(desk.case.id, "Call her.", author="sam", now=NOW).pk

    first, second = in_line(lock(desk), write, write)

    assert first == second
    assert CaseNote.objects.count() == 1


def test_ten_clicks_on_a_follow_up_at_once_send_one(desk: Desk) -> None:
    desk.send_outreach()
    seen = get_latest_event_id(desk.case)

    results = in_parallel(*[hurry(desk, seen)] * 10)

    assert sorted(map(str, results)) == ["False"] * 9 + ["True"]
    desk.agent.will(REMINDER)
    desk.provider.play(EMPTY_THREAD, accept("<f@offload.example>"))
    desk.work()
    assert (len(desk.sends()), desk.read().follow_ups_sent) == (2, 1)


def test_a_follow_up_that_staff_and_the_sweep_want_at_once_is_sent_once(desk: Desk) -> None:
    desk.send_outreach()
    seen = get_latest_event_id(desk.case)
    desk.pass_time(hours=80)

    in_parallel(hurry(desk, seen), lambda: list(record_due_events(desk.clock[0], waits_for_locks=True)))

    list(record_due_events(desk.clock[0]))
    desk.agent.will(REMINDER)
    desk.provider.play(EMPTY_THREAD, accept("<f@offload.example>"))
    desk.work()
    assert (len(desk.sends()), desk.read().follow_ups_sent, desk.read().attempt_count) == (2, 1, 2)
    assert not CaseEvent.objects.filter(status="ready").exists()


def test_of_two_who_close_a_case_at_once_the_second_hears_who_was_first(desk: Desk) -> None:
    desk.send_outreach()

    first, second = in_line(
        lock(desk),
        close(desk, "ana"),
        lambda: close_as_failed(desk.case.id, "They said no.", by="sam", now=desk.clock[0]),
    )

    assert isinstance(first, Case)
    assert isinstance(second, NotPossible)
    assert second.sentence == "Closed by ana with a result."
    assert (desk.read().status, [body["event_type"] for body in desk.deliveries()]) == ("COMPLETED", ["case.completed"])


def test_a_case_closed_while_its_mail_is_under_way_stays_closed_and_counts_the_mail(desk: Desk) -> None:
    claimed = ledger.claim(desk.case.id, "sending")
    assert claimed is not None
    desk.agent.will(DRAFT)

    def take_and_close(conversation: Conversation) -> None:
        assert isinstance(in_parallel(close(desk, "ana"))[0], Case)
        accept("<o@offload.example>")(conversation)

    desk.provider.play(take_and_close)

    handle_claim(claimed, desk.tools)

    case = desk.read()
    assert (case.status, case.attempt_count, case.thread_id) == ("COMPLETED", 1, "thread-1")
    assert (desk.event("CASE_CREATED").status, len(desk.sends())) == ("done", 1)
    assert [body["event_type"] for body in desk.deliveries()] == ["case.completed"]
