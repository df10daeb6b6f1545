"""The workflow as a table: every status meets every event, and every status meets every outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cases.workflow import (
    SNOOZES_BEFORE_A_HUMAN,
    Cancelled,
    CaseState,
    CounterpartyRefused,
    DeliveryFailed,
    EvaluationGivenUp,
    EventKind,
    FollowUpBroughtForward,
    FollowUpsUsedUp,
    GoalReached,
    HumanAsked,
    MailKind,
    MailSent,
    NextAction,
    Notice,
    Outcome,
    Plan,
    ReplyLeftToEvaluation,
    ResultStatus,
    SendRefused,
    Situation,
    Snoozed,
    Status,
    Step,
    apply_outcome,
    hear_counterparty,
    may_send,
    plan_event,
)

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DUE = NOW + timedelta(hours=72)
LATER = NOW + timedelta(days=5)


def make_state(status: Status, **changes: object) -> CaseState:
    """A case as it typically stands in `status`."""
    has_sent = status is not Status.CREATED
    is_running = status is Status.RUNNING
    ended: dict[Status, dict[str, object]] = {
        Status.COMPLETED: {"result_status": "goal_achieved", "result": {"a": 1}},
        Status.FAILED: {"result_status": "max_retries", "failure_reason": "No answer."},
    }
    state = CaseState(
        status=status,
        attempt_count=1 if has_sent else 0,
        follow_ups_sent=0,
        max_attempts=3,
        follow_up_delay_hours=72,
        snoozes_in_a_row=0,
        next_action=NextAction.FOLLOW_UP if is_running else NextAction.NONE,
        next_action_at=DUE if is_running else None,
        has_open_question=status is Status.INPUT_NEEDED,
    )
    return replace(state, **(ended.get(status, {}) | changes))  # type: ignore[arg-type]


ENDED = (Status.COMPLETED, Status.FAILED)
SITUATION = Situation(scheduled_for=DUE)

EVENT_TABLE: list[tuple[Status, EventKind, Step]] = [
    (Status.CREATED, EventKind.CASE_CREATED, Step.DRAFT_OUTREACH),
    (Status.CREATED, EventKind.FOLLOW_UP_DUE, Step.NOTHING),
    (Status.CREATED, EventKind.RECHECK_DUE, Step.NOTHING),
    (Status.CREATED, EventKind.REPLY_RECEIVED, Step.NOTHING),
    (Status.CREATED, EventKind.INPUT_PROVIDED, Step.DRAFT_OUTREACH),
    (Status.CREATED, EventKind.DELIVERY_FAILED, Step.NOTHING),
    (Status.CREATED, EventKind.CASE_CANCELLED, Step.NOTHING),
    (Status.RUNNING, EventKind.CASE_CREATED, Step.NOTHING),
    (Status.RUNNING, EventKind.FOLLOW_UP_DUE, Step.DRAFT_FOLLOW_UP),
    (Status.RUNNING, EventKind.RECHECK_DUE, Step.NOTHING),
    (Status.RUNNING, EventKind.REPLY_RECEIVED, Step.EVALUATE),
    (Status.RUNNING, EventKind.INPUT_PROVIDED, Step.EVALUATE),
    (Status.RUNNING, EventKind.DELIVERY_FAILED, Step.NOTHING),
    (Status.RUNNING, EventKind.CASE_CANCELLED, Step.NOTHING),
    (Status.INPUT_NEEDED, EventKind.CASE_CREATED, Step.NOTHING),
    (Status.INPUT_NEEDED, EventKind.FOLLOW_UP_DUE, Step.NOTHING),
    (Status.INPUT_NEEDED, EventKind.RECHECK_DUE, Step.NOTHING),
    (Status.INPUT_NEEDED, EventKind.REPLY_RECEIVED, Step.EVALUATE),
    (Status.INPUT_NEEDED, EventKind.INPUT_PROVIDED, Step.EVALUATE),
    (Status.INPUT_NEEDED, EventKind.DELIVERY_FAILED, Step.NOTHING),
    (Status.INPUT_NEEDED, EventKind.CASE_CANCELLED, Step.NOTHING),
    (Status.CREATED, EventKind.REEVALUATION_ASKED, Step.NOTHING),
    (Status.RUNNING, EventKind.REEVALUATION_ASKED, Step.EVALUATE),
    (Status.INPUT_NEEDED, EventKind.REEVALUATION_ASKED, Step.EVALUATE),
    *[
        (status, kind, Step.NOTHING)
        for status in Status
        if status not in ENDED
        for kind in (EventKind.CASE_CLOSED, EventKind.CASE_PAUSED, EventKind.CASE_RESUMED)
    ],
    *[(status, kind, Step.NOTHING) for status in ENDED for kind in EventKind],
]


def test_the_event_table_is_whole() -> None:
    assert {(status, kind) for status, kind, _ in EVENT_TABLE} == {(s, k) for s in Status for k in EventKind}


@pytest.mark.parametrize(("status", "kind", "step"), EVENT_TABLE)
def test_every_status_meets_every_event(status: Status, kind: EventKind, step: Step) -> None:
    plan = plan_event(kind, make_state(status), SITUATION)

    assert plan.step is step
    assert plan.reason


def plan_due(state: CaseState, situation: Situation, kind: EventKind = EventKind.FOLLOW_UP_DUE) -> Step:
    return plan_event(kind, state, situation).step


def test_a_follow_up_for_another_time_than_the_scheduled_one_does_nothing() -> None:
    state = make_state(Status.RUNNING)

    assert plan_due(state, Situation(scheduled_for=DUE + timedelta(seconds=1))) is Step.NOTHING
    assert plan_due(state, Situation(scheduled_for=None)) is Step.NOTHING


def test_a_follow_up_that_meets_an_unread_reply_leaves_it_to_the_evaluation() -> None:
    state = make_state(Status.RUNNING)

    assert plan_due(state, Situation(scheduled_for=DUE, has_unread_reply=True)) is Step.CLEAR_SCHEDULE


def test_an_unread_reply_comes_before_a_used_up_budget() -> None:
    state = make_state(Status.RUNNING, attempt_count=4, follow_ups_sent=3)

    assert plan_due(state, Situation(scheduled_for=DUE, has_unread_reply=True)) is Step.CLEAR_SCHEDULE
    assert plan_due(state, Situation(scheduled_for=DUE)) is Step.RUN_OUT


def test_with_no_follow_ups_allowed_the_first_due_time_ends_the_case() -> None:
    state = make_state(Status.RUNNING, max_attempts=0)

    assert plan_due(state, SITUATION) is Step.RUN_OUT


def test_a_recheck_that_is_due_is_evaluated_also_with_the_budget_used_up() -> None:
    state = make_state(Status.RUNNING, next_action=NextAction.RECHECK, follow_ups_sent=3, attempt_count=4)

    assert plan_due(state, SITUATION, EventKind.RECHECK_DUE) is Step.EVALUATE
    assert plan_due(state, SITUATION, EventKind.FOLLOW_UP_DUE) is Step.NOTHING


@pytest.mark.parametrize("kind", [EventKind.REPLY_RECEIVED, EventKind.INPUT_PROVIDED])
@pytest.mark.parametrize("status", [Status.RUNNING, Status.INPUT_NEEDED])
def test_what_an_earlier_evaluation_has_covered_is_not_evaluated_again(status: Status, kind: EventKind) -> None:
    assert plan_event(kind, make_state(status), Situation(is_covered=True)).step is Step.NOTHING


def test_a_question_before_the_first_message_leads_to_the_first_message_once_it_is_answered() -> None:
    state = make_state(Status.INPUT_NEEDED, attempt_count=0, has_open_question=False)

    assert plan_event(EventKind.INPUT_PROVIDED, state, Situation()).step is Step.DRAFT_OUTREACH


def test_the_first_message_is_never_written_twice() -> None:
    state = make_state(Status.CREATED, attempt_count=1)

    assert plan_event(EventKind.CASE_CREATED, state, Situation()) == Plan(
        Step.NOTHING, "The first message had already been taken care of."
    )


LIVE = (Status.CREATED, Status.RUNNING, Status.INPUT_NEEDED)

ENDINGS: list[tuple[Outcome, Status, str, Notice]] = [
    (GoalReached({"ok": True}), Status.COMPLETED, "goal_achieved", Notice.COMPLETED),
    (CounterpartyRefused("No."), Status.FAILED, "failed_rejected", Notice.FAILED),
    (SendRefused("Blocked."), Status.FAILED, "send_failed", Notice.FAILED),
    (EvaluationGivenUp("Broken."), Status.FAILED, "evaluation_failed", Notice.FAILED),
    (DeliveryFailed(ResultStatus.BOUNCED, "No such user."), Status.FAILED, "BOUNCED", Notice.FAILED),
    (DeliveryFailed(ResultStatus.COMPLAINED, "Abuse."), Status.FAILED, "COMPLAINED", Notice.FAILED),
    (DeliveryFailed(ResultStatus.REJECTED, "Virus."), Status.FAILED, "REJECTED", Notice.FAILED),
    (Cancelled(), Status.FAILED, "cancelled", Notice.FAILED),
    (FollowUpsUsedUp(), Status.FAILED, "max_retries", Notice.FAILED),
]
OTHERS: list[Outcome] = [
    HumanAsked("What now?"),
    Snoozed(LATER),
    ReplyLeftToEvaluation(),
    FollowUpBroughtForward(LATER),
]


@pytest.mark.parametrize("status", LIVE)
@pytest.mark.parametrize(("outcome", "end", "result_status", "notice"), ENDINGS)
def test_every_ending_ends_every_live_case(
    status: Status, outcome: Outcome, end: Status, result_status: str, notice: Notice
) -> None:
    before = make_state(status)

    transition = apply_outcome(before, outcome, NOW)

    after = transition.state
    assert (after.status, after.result_status, transition.notice) == (end, result_status, notice)
    assert (after.next_action, after.next_action_at, after.has_open_question) == (NextAction.NONE, None, False)
    assert after.attempt_count == before.attempt_count
    assert transition.closes_question is (status is Status.INPUT_NEEDED)
    assert transition.is_change


@pytest.mark.parametrize("status", ENDED)
@pytest.mark.parametrize("outcome", [*[ending[0] for ending in ENDINGS], *OTHERS])
def test_nothing_changes_a_case_that_has_ended(status: Status, outcome: Outcome) -> None:
    before = make_state(status)

    transition = apply_outcome(before, outcome, NOW)

    assert transition.state == before
    assert (transition.notice, transition.question, transition.is_change) == (None, "", False)


@pytest.mark.parametrize("status", ENDED)
@pytest.mark.parametrize("kind", MailKind)
def test_a_mail_known_to_have_left_is_counted_even_after_the_end(status: Status, kind: MailKind) -> None:
    before = make_state(status)

    transition = apply_outcome(before, MailSent(kind), NOW)

    assert transition.state.attempt_count == before.attempt_count + 1
    assert transition.state.status is status
    assert transition.state.next_action_at is None
    assert (transition.notice, transition.is_change) == (None, True)


@pytest.mark.parametrize("status", [Status.CREATED, Status.RUNNING])
@pytest.mark.parametrize(
    ("kind", "follow_ups"),
    [(MailKind.OUTREACH, 0), (MailKind.FOLLOW_UP, 1), (MailKind.REPLY, 0), (MailKind.NUDGE, 1)],
)
def test_every_mail_raises_attempts_and_only_reminders_use_a_follow_up(
    status: Status, kind: MailKind, follow_ups: int
) -> None:
    before = make_state(status)

    after = apply_outcome(before, MailSent(kind), NOW).state

    assert after.attempt_count == before.attempt_count + 1
    assert after.follow_ups_sent == follow_ups
    assert after.status is Status.RUNNING
    assert (after.next_action, after.next_action_at) == (NextAction.FOLLOW_UP, NOW + timedelta(hours=72))


def test_after_two_follow_ups_the_attempt_count_is_three() -> None:
    state = make_state(Status.CREATED)

    for kind in (MailKind.OUTREACH, MailKind.FOLLOW_UP, MailKind.FOLLOW_UP):
        state = apply_outcome(state, MailSent(kind), NOW).state

    assert (state.attempt_count, state.follow_ups_sent, state.follow_ups_left) == (3, 2, 1)


def test_an_answer_after_a_human_was_heard_sets_the_case_running_again() -> None:
    answered = make_state(Status.INPUT_NEEDED, has_open_question=False)

    after = apply_outcome(answered, MailSent(MailKind.REPLY), NOW).state

    assert (after.status, after.next_action_at) == (Status.RUNNING, DUE)


@pytest.mark.parametrize("status", [Status.CREATED, Status.RUNNING])
def test_a_question_stops_the_schedule_and_is_told(status: Status) -> None:
    transition = apply_outcome(make_state(status), HumanAsked("Which entity?"), NOW)

    assert transition.state.status is Status.INPUT_NEEDED
    assert transition.state.has_open_question
    assert transition.state.next_action_at is None
    assert (transition.notice, transition.question) == (Notice.INPUT_NEEDED, "Which entity?")


def test_a_second_round_of_questions_is_told_like_the_first() -> None:
    answered = make_state(Status.INPUT_NEEDED, has_open_question=False)

    transition = apply_outcome(answered, HumanAsked("And which year?"), NOW)

    assert (transition.notice, transition.question) == (Notice.INPUT_NEEDED, "And which year?")


@pytest.mark.parametrize("outcome", OTHERS[:2])
def test_while_a_question_stands_only_an_end_moves_the_case(outcome: Outcome) -> None:
    before = make_state(Status.INPUT_NEEDED)

    transition = apply_outcome(before, outcome, NOW)

    assert transition.state == before
    assert not transition.is_change
    assert (transition.notice, transition.question) == (None, "")


@pytest.mark.parametrize("kind", MailKind)
def test_no_mail_leaves_while_a_question_stands_or_after_the_end(kind: MailKind) -> None:
    assert not may_send(make_state(Status.INPUT_NEEDED), kind)
    assert not may_send(make_state(Status.COMPLETED), kind)
    assert not may_send(make_state(Status.FAILED), kind)
    assert may_send(make_state(Status.RUNNING), kind)


@pytest.mark.parametrize(
    ("kind", "allowed"), [(MailKind.REPLY, True), (MailKind.NUDGE, False), (MailKind.FOLLOW_UP, False)]
)
def test_with_the_budget_used_up_answers_leave_and_reminders_do_not(kind: MailKind, allowed: bool) -> None:
    state = make_state(Status.RUNNING, attempt_count=4, follow_ups_sent=3)

    assert may_send(state, kind) is allowed


def test_a_snooze_schedules_a_recheck_and_the_case_stays_running() -> None:
    transition = apply_outcome(make_state(Status.RUNNING), Snoozed(LATER), NOW)

    state = transition.state
    assert (state.status, state.next_action, state.next_action_at) == (Status.RUNNING, NextAction.RECHECK, LATER)
    assert (state.snoozes_in_a_row, transition.notice) == (1, None)


def test_the_sixth_snooze_in_a_row_asks_a_human_instead() -> None:
    state = make_state(Status.RUNNING)
    for _ in range(SNOOZES_BEFORE_A_HUMAN):
        state = apply_outcome(state, Snoozed(LATER), NOW).state
    assert state.status is Status.RUNNING

    transition = apply_outcome(state, Snoozed(LATER), NOW)

    assert transition.state.status is Status.INPUT_NEEDED
    assert transition.notice is Notice.INPUT_NEEDED
    assert transition.question.startswith("The case has been put off 5 times in a row")


def test_a_word_from_the_counterparty_breaks_the_row_of_snoozes() -> None:
    state = make_state(Status.RUNNING, snoozes_in_a_row=SNOOZES_BEFORE_A_HUMAN)

    after = apply_outcome(hear_counterparty(state), Snoozed(LATER), NOW).state

    assert (after.status, after.snoozes_in_a_row) == (Status.RUNNING, 1)


def test_a_reply_left_to_the_evaluation_clears_the_schedule_and_keeps_the_case_running() -> None:
    transition = apply_outcome(make_state(Status.RUNNING), ReplyLeftToEvaluation(), NOW)

    state = transition.state
    assert (state.status, state.next_action, state.next_action_at) == (Status.RUNNING, NextAction.NONE, None)


@pytest.mark.parametrize("next_action", [NextAction.FOLLOW_UP, NextAction.RECHECK])
def test_a_follow_up_that_is_brought_forward_is_due_at_the_named_moment_and_counts_nothing_yet(
    next_action: NextAction,
) -> None:
    state = make_state(Status.RUNNING, next_action=next_action)

    transition = apply_outcome(state, FollowUpBroughtForward(NOW), NOW)

    expected = replace(state, next_action=NextAction.FOLLOW_UP, next_action_at=NOW)
    assert (transition.state, transition.notice) == (expected, None)


@pytest.mark.parametrize(
    "state",
    [
        make_state(Status.CREATED),
        make_state(Status.INPUT_NEEDED),
        make_state(Status.INPUT_NEEDED, has_open_question=False),
        make_state(Status.RUNNING, follow_ups_sent=3, attempt_count=4),
    ],
)
def test_no_follow_up_is_brought_forward_where_none_may_leave(state: CaseState) -> None:
    transition = apply_outcome(state, FollowUpBroughtForward(NOW), NOW)

    assert (transition.state, transition.is_change) == (state, False)
