"""Every check of a run is shown a sound case, which it passes, and the fault that it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos import checker
from tests.chaos.checker import CHECKS, Check, Fault, check_case, check_run
from tests.chaos.evidence import (
    AcceptedMail,
    CaseFile,
    CaseRow,
    CaseStep,
    DeliveryRow,
    EventRow,
    EventStep,
    Evidence,
    InputRow,
    OwnMail,
    ReceivedRow,
    RunRow,
    SendStep,
    Told,
)
from tests.chaos.player import GivenInput
from tests.chaos.stories import complete

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
RESULT = {"legalName": "Northstar LLC", "taxId": "12-3456789"}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def make_event(number: int, kind: str, key: str, **payload: Any) -> EventRow:
    done = at(number * 10 + 5)
    return EventRow(number, key, kind, "done", 1, 0, 0, "", "Done.", at(number * 10), done, payload)


def make_notice(event_type: str, status: str, result_status: str = "", result: Any = None) -> DeliveryRow:
    data = {"status": status, "resultStatus": result_status, "result": result}
    return DeliveryRow(f"evt_{event_type}", event_type, "delivered", {"data": data}, ("delivered",), at(60))


def make_mail(number: int) -> OwnMail:
    label, key = f"offload-{number}", f"offload.test.{number}"
    return OwnMail(str(number), label, key, "sent", 1, f"<{number}@us>", f"Text {number}", "")


def make_accepted(number: int) -> AcceptedMail:
    labels = ("sent", f"offload-{number}")
    return AcceptedMail(f"<{number}@us>", labels, f"offload.test.{number}", f"Text {number}", at(number * 10 + 3))


def make_file() -> CaseFile:
    """A case that was asked back, answered by a human, and completed by the second reply."""
    told = Told(
        reference="chaos-1-000",
        shape="ask",
        case_id="c1",
        ending=complete(2),
        trouble="",
        inputs=(GivenInput("q1", "For Northstar Logistics LLC."),),
        replies=("<r1@them>", "<r2@them>"),
        steps=(),
        shown={"status": "COMPLETED", "resultStatus": "goal_achieved", "attemptCount": 2, "result": RESULT},
    )
    stored = CaseRow("c1", "chaos-1-000", "COMPLETED", "goal_achieved", 2, 0, 3, False, RESULT, "", "t1")
    steps = (
        CaseStep(at(0), "CREATED", "", 0, 0, None),
        CaseStep(at(15), "RUNNING", "", 1, 0, None),
        CaseStep(at(25), "INPUT_NEEDED", "", 1, 0, None),
        CaseStep(at(35), "RUNNING", "", 2, 0, None),
        CaseStep(at(45), "COMPLETED", "goal_achieved", 2, 0, RESULT),
    )
    events = (
        make_event(1, "CASE_CREATED", "created:c1"),
        make_event(2, "REPLY_RECEIVED", "reply:c1:i:<r1@them>", message_id="<r1@them>"),
        make_event(3, "INPUT_PROVIDED", "input:q1", input_request_id="q1"),
        make_event(4, "REPLY_RECEIVED", "reply:c1:i:<r2@them>", message_id="<r2@them>"),
    )
    return CaseFile(
        told=told,
        stored=(stored,),
        steps=steps,
        events=events,
        event_steps=tuple(
            EventStep(at(event.event_id * 10 + offset), event.event_id, status, attempt)
            for event in events
            for offset, status, attempt in ((0, "ready", 0), (1, "running", 1), (5, "done", 1))
        ),
        send_steps=(SendStep(at(12), "1"), SendStep(at(32), "3")),
        runs=(
            RunRow(1, "outreach", "outreach", "DRAFT", at(11)),
            RunRow(2, "evaluate", "", "INPUT_NEEDED", at(21)),
            RunRow(3, "evaluate", "reply", "REQUIRES_REPLY", at(31)),
            RunRow(4, "evaluate", "", "GOAL_ACHIEVED", at(41)),
        ),
        own_mails=(make_mail(1), make_mail(3)),
        accepted=(make_accepted(1), make_accepted(3)),
        heard=("<r1@them>", "<r2@them>"),
        inputs=(InputRow("q1", "RESOLVED", "For Northstar Logistics LLC."),),
        deliveries=(
            make_notice("case.input_needed", "INPUT_NEEDED"),
            make_notice("case.completed", "COMPLETED", "goal_achieved", RESULT),
        ),
        received=(ReceivedRow("evt_case.input_needed", at(61)), ReceivedRow("evt_case.completed", at(62))),
    )


def with_row(**changes: Any) -> CaseFile:
    good = make_file()
    return replace(good, stored=(replace(good.stored[0], **changes),))


def with_told(**changes: Any) -> CaseFile:
    good = make_file()
    return replace(good, told=replace(good.told, **changes))


def put(case: CaseFile, name: str, rows: Any) -> CaseFile:
    changes: dict[str, Any] = {name: rows}
    return replace(case, **changes)


def with_last(name: str, **changes: Any) -> CaseFile:
    """Returns the sound file with the last row of one kind changed."""
    good = make_file()
    rows = getattr(good, name)
    return put(good, name, (*rows[:-1], replace(rows[-1], **changes)))


def with_more(name: str, *rows: Any) -> CaseFile:
    good = make_file()
    return put(good, name, (*getattr(good, name), *rows))


def without(name: str, index: int = -1) -> CaseFile:
    good = make_file()
    rows = list(getattr(good, name))
    del rows[index]
    return put(good, name, tuple(rows))


def with_follow_ups(count: int, **changes: Any) -> CaseFile:
    """Returns the sound file with its second mail made a follow-up that is counted `count` times."""
    good = with_row(follow_ups_sent=count, **changes)
    runs = tuple(replace(run, mail_kind="follow_up") if run.event_id == 3 else run for run in good.runs)
    return replace(good, runs=runs)


BAD: list[tuple[Check, CaseFile, Fault, str]] = [
    (checker.check_story, with_told(ending=None, trouble="it hung"), Fault.LOST, "came to no end: it hung"),
    (checker.check_story, without("stored"), Fault.LOST, "acknowledged and is not stored"),
    (checker.check_story, with_more("stored", make_file().stored[0]), Fault.TWICE, "opened 2 cases"),
    (checker.check_end, with_row(status="FAILED"), Fault.WRONG, "it is ('FAILED', 'goal_achieved')"),
    (checker.check_end, with_row(result_status="cancelled"), Fault.WRONG, "and should be ('COMPLETED', 'goal_ach"),
    (checker.check_end, with_row(result={"taxId": "1"}), Fault.WRONG, "its result is {'taxId': '1'}"),
    (checker.check_end, with_row(is_scheduled=True), Fault.WRONG, "scheduled for it though it does not run"),
    (checker.check_end, with_last("inputs", status="PENDING"), Fault.WRONG, "question q1 still waits"),
    (checker.check_shown, with_told(shown={}), Fault.WRONG, "the API shows (None, None, None)"),
    (checker.check_shown, with_row(result={}), Fault.WRONG, "shows another result"),
    (checker.check_inputs, with_last("inputs", answer=""), Fault.LOST, "acknowledged and is not stored"),
    (checker.check_inputs, without("events", 2), Fault.LOST, "question q1 has no event"),
    (checker.check_replies, without("heard"), Fault.LOST, "<r2@them> is not on the case's timeline"),
    (checker.check_replies, without("events"), Fault.LOST, "<r2@them> is not on the case's timeline"),
    (checker.check_replies, with_more("heard", "<r1@them>"), Fault.TWICE, "<r1@them> was recorded more than once"),
    (checker.check_replies, with_more("events", make_file().events[1]), Fault.TWICE, "recorded more than once"),
    (checker.check_rest, with_last("events", status="ready"), Fault.LOST, "event 4 REPLY_RECEIVED is still ready"),
    (checker.check_rest, with_last("events", status="running"), Fault.LOST, "is still running"),
    (checker.check_rest, with_last("events", status="dead"), Fault.WRONG, "dead without a reason"),
    (checker.check_mail_once, with_more("accepted", make_accepted(3)), Fault.TWICE, "idempotency key 'offload.test.3'"),
    (checker.check_mail_once, with_last("accepted", labels=("offload-1",)), Fault.TWICE, "with the label 'offload-1'"),
    (checker.check_mail_once, with_last("accepted", text="Text 1"), Fault.TWICE, "with the text 'Text 1'"),
    (checker.check_mail_once, with_last("own_mails", reference="1"), Fault.TWICE, "event 1 wrote 2 mails"),
    (checker.check_mail_known, without("own_mails"), Fault.WRONG, "which Offload did not write"),
    (checker.check_mail_known, with_last("own_mails", state="abandoned"), Fault.LOST, "takes it for abandoned"),
    (checker.check_mail_known, with_last("own_mails", message_id="<x@us>"), Fault.WRONG, "another id or text"),
    (checker.check_mail_known, with_last("own_mails", text="Other"), Fault.WRONG, "another id or text"),
    (checker.check_mail_known, without("accepted"), Fault.LOST, "that the provider never sent"),
    (checker.check_counts, with_row(attempt_count=1), Fault.WRONG, "attemptCount is 1, and 2 mails were sent"),
    (checker.check_counts, with_follow_ups(0), Fault.WRONG, "counts 0 follow-ups, and 1 were sent"),
    (checker.check_counts, with_follow_ups(1, max_attempts=0), Fault.TWICE, "1 follow-ups were sent, and 0 are"),
    (checker.check_counts, with_told(ending=complete(1)), Fault.TWICE, "2 mails were sent, and at most 1 are due"),
    (checker.check_counts, with_told(ending=complete(3)), Fault.LOST, "2 mails were sent, and at least 3 are due"),
    (
        checker.check_counts,
        replace(make_file(), runs=tuple(replace(run, mail_kind="outreach") for run in make_file().runs)),
        Fault.TWICE,
        "the first message was sent more than once",
    ),
    (checker.check_nothing_after_end, with_last("send_steps", at=at(45.005)), Fault.WRONG, "begun 0.005 s after"),
    (checker.check_nothing_after_end, with_last("accepted", accepted_at=at(56)), Fault.WRONG, "sent 11.0 s after"),
    (
        checker.check_transitions,
        with_more("steps", CaseStep(at(50), "RUNNING", "", 2, 0, None)),
        Fault.WRONG,
        "it went from COMPLETED to RUNNING",
    ),
    (
        checker.check_transitions,
        with_more("steps", CaseStep(at(50), "COMPLETED", "other", 2, 0, RESULT)),
        Fault.WRONG,
        "its end changed from goal_achieved to other",
    ),
    (checker.check_transitions, without("steps", 0), Fault.WRONG, "it was born RUNNING"),
    (checker.check_transitions, with_last("steps", attempt_count=4), Fault.TWICE, "went from 2 to 4 in one step"),
    (checker.check_transitions, with_last("steps", attempt_count=1), Fault.TWICE, "went from 2 to 1 in one step"),
    (
        checker.check_transitions,
        with_last("steps", follow_ups_sent=-1),
        Fault.WRONG,
        "a follow-up was taken back",
    ),
    (
        checker.check_events_once,
        with_more("event_steps", EventStep(at(70), 4, "running", 2)),
        Fault.TWICE,
        "event 4 went from done to running",
    ),
    (
        checker.check_events_once,
        with_last("event_steps", attempt=2),
        Fault.WRONG,
        "event 4 went from attempt 1 to 2",
    ),
    (checker.check_events_once, without("event_steps", 8), Fault.TWICE, "event 4 was started while event 3 ran"),
    (checker.check_order, with_last("events", finished_at=at(1)), Fault.WRONG, "event 4 was done before event 3"),
    (checker.check_agent, with_more("runs", make_file().runs[0]), Fault.TWICE, "event 1 has 2 runs of the agent"),
    (checker.check_agent, with_last("events", attempt=0), Fault.TWICE, "event 4 has 1 runs of the agent in 0"),
    (checker.check_notices, without("deliveries", 0), Fault.WRONG, "1 questions were asked, and 0 told"),
    (checker.check_notices, without("deliveries"), Fault.LOST, "case.completed was not recorded"),
    (
        checker.check_notices,
        with_more("deliveries", make_notice("case.completed", "COMPLETED", "goal_achieved", RESULT)),
        Fault.TWICE,
        "2 webhooks case.completed were recorded",
    ),
    (
        checker.check_notices,
        with_more("deliveries", make_notice("case.failed", "FAILED", "cancelled")),
        Fault.TWICE,
        "1 webhooks case.failed were recorded, and 0 are due",
    ),
    (
        checker.check_notices,
        with_last("deliveries", body={"data": {"status": "COMPLETED", "resultStatus": "x", "result": RESULT}}),
        Fault.WRONG,
        "tells another end",
    ),
    (checker.check_deliveries, with_last("deliveries", state="pending"), Fault.LOST, "is still pending"),
    (checker.check_deliveries, with_last("deliveries", outcomes=("failed", "delivered")), Fault.TWICE, "tried 2 times"),
    (checker.check_deliveries, with_more("received", make_file().received[0]), Fault.TWICE, "arrived 2 times"),
    (checker.check_deliveries, without("received"), Fault.LOST, "counts as delivered and did not arrive"),
    (checker.check_deliveries, with_last("received", event_id="evt_x"), Fault.WRONG, "that was never recorded"),
]


def test_a_sound_case_passes_every_check() -> None:
    assert check_case(make_file()) == []


@pytest.mark.parametrize(
    ("check", "bad", "fault", "text"), BAD, ids=[f"{b[0].__name__}-{n}" for n, b in enumerate(BAD)]
)
def test_each_check_finds_the_fault_that_it_is_there_for(check: Check, bad: CaseFile, fault: Fault, text: str) -> None:
    found = list(check(bad))

    assert fault in [kind for kind, _ in found]
    assert any(text in said for _, said in found), found


def test_every_check_is_shown_a_fault() -> None:
    assert {check for check, *_ in BAD} == set(CHECKS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda: with_last("deliveries", state="unknown", outcomes=("unknown",)), "its worker died after the POST"),
        (lambda: replace(with_last("deliveries", state="unknown"), received=make_file().received[:1]), "or before it"),
        (lambda: replace(with_last("deliveries", state="failed"), received=make_file().received[:1]), "it was refused"),
        (lambda: with_last("send_steps", at=at(44.999)), "the send was in flight when the case ended"),
        (lambda: with_more("steps", CaseStep(at(46), "COMPLETED", "goal_achieved", 3, 0, RESULT)), "so it counts late"),
    ],
)
def test_what_a_crash_may_legally_leave_is_no_fault(change: Callable[[], CaseFile], why: str) -> None:
    assert check_case(change()) == [], why


def test_what_belongs_to_no_case_is_a_fault_of_the_run() -> None:
    [violation] = check_run(Evidence((make_file(),), ("a sent mail <x@us> to 'nobody'",)))

    assert (violation.fault, violation.text) == (Fault.WRONG, "there is a sent mail <x@us> to 'nobody'")
