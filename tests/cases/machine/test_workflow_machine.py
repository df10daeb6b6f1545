"""The workflow under Hypothesis: whatever arrives in whatever order, late or twice, a case has a legal history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cases.workflow import (
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
from tests.cases.machine.test_ledger_machine import LONG, ORDINARY

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ENDS = {Status.COMPLETED, Status.FAILED}
LEGAL = {
    Status.CREATED: {Status.RUNNING, Status.INPUT_NEEDED, Status.FAILED},
    Status.RUNNING: {Status.INPUT_NEEDED, *ENDS},
    Status.INPUT_NEEDED: {Status.RUNNING, *ENDS},
    Status.COMPLETED: set(),
    Status.FAILED: set(),
}
MAILS = {Step.DRAFT_OUTREACH: MailKind.OUTREACH, Step.DRAFT_FOLLOW_UP: MailKind.FOLLOW_UP}
VERDICTS: list[Outcome] = [
    GoalReached({"w9": True}),
    CounterpartyRefused("no"),
    HumanAsked("Which year?"),
    EvaluationGivenUp("no"),
]


class WorkflowMachine(RuleBasedStateMachine):
    """One worker, as the ledger grants, whose thoughts and mails arrive late; and an outside that does not wait for it.

    What the case is told by an outcome is applied to the state of that moment, not to the one the worker planned on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.thinking: tuple[Step, EventKind] | None = None
        self.in_flight: MailKind | None = None
        self.sent: list[MailKind] = []
        self.snoozes = 0
        self.questions = 0
        self.notices: list[Notice] = []
        self.schedules: list[datetime] = [START]

    @initialize(max_attempts=st.integers(0, 3), delay=st.sampled_from([1, 72]))
    def open_case(self, max_attempts: int, delay: int) -> None:
        self.state = CaseState(
            status=Status.CREATED,
            attempt_count=0,
            follow_ups_sent=0,
            max_attempts=max_attempts,
            follow_up_delay_hours=delay,
            snoozes_in_a_row=0,
            next_action=NextAction.NONE,
            next_action_at=None,
            has_open_question=False,
        )

    # -- The worker

    @precondition(lambda self: self.thinking is None and self.in_flight is None)
    @rule(kind=st.sampled_from(EventKind), unread=st.booleans(), covered=st.booleans(), pick=st.integers(0, 2))
    def take_event(self, kind: EventKind, unread: bool, covered: bool, pick: int) -> None:
        """Of the schedules that ever were, `pick` names one of the latest: most are out of date."""
        scheduled = self.schedules[-1 - pick % len(self.schedules)]
        plan = plan_event(kind, self.state, Situation(scheduled, unread, covered))
        if self.state.status.is_terminal:
            assert plan.step is Step.NOTHING
        if kind in (EventKind.FOLLOW_UP_DUE, EventKind.RECHECK_DUE) and plan.step is not Step.NOTHING:
            assert (self.state.status, self.state.next_action_at) == (Status.RUNNING, scheduled)
        if plan.step is Step.DRAFT_OUTREACH:
            assert self.state.attempt_count == 0
        if plan.step is Step.RUN_OUT:
            assert self.state.follow_ups_sent == self.state.max_attempts
        self.thinking = None if plan.step is Step.NOTHING else (plan.step, kind)

    @precondition(lambda self: self.thinking is not None)
    @rule(
        verdict=st.sampled_from([*VERDICTS, "reply", "snooze"]),
        heard=st.booleans(),
        days=st.integers(1, 60),
    )
    def conclude(self, verdict: Outcome | str, heard: bool, days: int) -> None:
        """The worker comes to its end; the outside may have changed everything meanwhile."""
        assert self.thinking is not None
        step, kind = self.thinking
        self.thinking = None
        if step is Step.CLEAR_SCHEDULE:
            self._apply(ReplyLeftToEvaluation())
        elif step is Step.RUN_OUT:
            self._apply(FollowUpsUsedUp())
        elif step in MAILS:
            self._begin_mail(MAILS[step])
        elif verdict == "reply":
            self._begin_mail(MailKind.NUDGE if kind is EventKind.RECHECK_DUE and not heard else MailKind.REPLY)
        else:
            outcome = Snoozed(self.now + timedelta(days=days)) if verdict == "snooze" else verdict
            assert not isinstance(outcome, str)
            self._apply(outcome, heard=heard)

    def _begin_mail(self, kind: MailKind) -> None:
        if may_send(self.state, kind):
            self.in_flight = kind
        elif kind is MailKind.NUDGE:
            self._apply(FollowUpsUsedUp() if self.state.follow_ups_left == 0 else ReplyLeftToEvaluation())

    @precondition(lambda self: self.in_flight is not None)
    @rule(is_refused=st.booleans())
    def hear_of_mail(self, is_refused: bool) -> None:
        """A mail that left counts, even where the case ended while it flew."""
        assert self.in_flight is not None
        kind, self.in_flight = self.in_flight, None
        if is_refused:
            self._apply(SendRefused("no"))
            return
        self.sent.append(kind)
        self._apply(MailSent(kind))
        if self.state.status is Status.RUNNING:
            due = self.now + timedelta(hours=self.state.follow_up_delay_hours)
            assert (self.state.next_action, self.state.next_action_at) == (NextAction.FOLLOW_UP, due)

    # -- The outside, at any time

    @rule(hours=st.sampled_from([1, 72, 24 * 60]))
    def pass_time(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @precondition(lambda self: self.state.attempt_count > 0)
    @rule(kind=st.sampled_from([ResultStatus.BOUNCED, ResultStatus.COMPLAINED, ResultStatus.REJECTED]))
    def report_failure(self, kind: ResultStatus) -> None:
        self._apply(DeliveryFailed(kind, "no such mailbox"))

    @rule(is_wanted=st.integers(0, 3))
    def cancel(self, is_wanted: int) -> None:
        if is_wanted == 0:
            self._apply(Cancelled())

    @rule()
    def bring_forward(self) -> None:
        before = self.state
        self._apply(FollowUpBroughtForward(self.now))
        if before.status is Status.RUNNING and before.follow_ups_left:
            assert (self.state.next_action, self.state.next_action_at) == (NextAction.FOLLOW_UP, self.now)
        else:
            assert self.state == before

    @precondition(lambda self: self.state.has_open_question)
    @rule()
    def answer(self) -> None:
        """The request is resolved at once; the status follows when the worker is done."""
        self.state = replace(self.state, has_open_question=False)

    # -- What must hold

    def _apply(self, outcome: Outcome, *, heard: bool = False) -> None:
        before = self.state
        state = hear_counterparty(before) if heard else before
        transition = apply_outcome(state, outcome, self.now)
        after = transition.state if transition.is_change else before
        self.state = after
        assert before.status == after.status or after.status in LEGAL[before.status], (before, outcome, after)
        if before.status.is_terminal:
            counted = isinstance(outcome, MailSent)
            uses_follow_up = counted and isinstance(outcome, MailSent) and outcome.kind.uses_follow_up
            assert after == replace(
                before,
                attempt_count=before.attempt_count + counted,
                follow_ups_sent=before.follow_ups_sent + uses_follow_up,
            )
        self._check_notice(before, outcome, after, transition.notice if transition.is_change else None)
        if transition.is_change and transition.question:
            self.questions += 1
            assert after.status is Status.INPUT_NEEDED
            assert not before.has_open_question
        if transition.closes_question:
            assert before.has_open_question
            assert after.status.is_terminal
        self._count_snoozes(before, outcome, after, heard=heard)
        if after.next_action_at is not None and after.next_action_at != before.next_action_at:
            self.schedules.append(after.next_action_at)

    def _check_notice(self, before: CaseState, outcome: Outcome, after: CaseState, notice: Notice | None) -> None:
        expected = {Status.COMPLETED: Notice.COMPLETED, Status.FAILED: Notice.FAILED}.get(after.status)
        if before.status.is_terminal:
            expected = None
        elif after.has_open_question and not before.has_open_question:
            expected = Notice.INPUT_NEEDED
        assert notice == expected, (before, outcome, after)
        if notice is not None:
            self.notices.append(notice)

    def _count_snoozes(self, before: CaseState, outcome: Outcome, after: CaseState, *, heard: bool) -> None:
        """Five in a row without a word from the counterparty are the most; then a human is asked."""
        if before.status.is_terminal or before.has_open_question:
            return
        if heard:
            self.snoozes = 0
        if isinstance(outcome, Snoozed):
            assert (after.status is Status.INPUT_NEEDED) == (self.snoozes == 5)
            self.snoozes += 1
        if after.status is Status.INPUT_NEEDED or (isinstance(outcome, MailSent) and outcome.kind is MailKind.REPLY):
            self.snoozes = 0

    @invariant()
    def the_counters_tell_the_mails(self) -> None:
        assert self.state.attempt_count == len(self.sent)
        follow_ups = [kind for kind in self.sent if kind.uses_follow_up]
        assert self.state.follow_ups_sent == len(follow_ups) <= self.state.max_attempts
        assert self.sent.count(MailKind.OUTREACH) <= 1

    @invariant()
    def only_what_runs_is_scheduled(self) -> None:
        assert (self.state.next_action_at is None) == (self.state.next_action is NextAction.NONE)
        assert self.state.next_action_at is None or self.state.status is Status.RUNNING

    @invariant()
    def an_end_has_its_reason_and_one_notice(self) -> None:
        ends = [notice for notice in self.notices if notice is not Notice.INPUT_NEEDED]
        assert len(ends) == (1 if self.state.status.is_terminal else 0)
        assert (self.state.result_status != "") == self.state.status.is_terminal
        assert (self.state.result is not None) == (self.state.status is Status.COMPLETED)
        if self.state.result_status == ResultStatus.MAX_RETRIES:
            assert self.state.follow_ups_sent == self.state.max_attempts

    @invariant()
    def a_question_is_told_once_and_holds_the_case(self) -> None:
        assert self.notices.count(Notice.INPUT_NEEDED) == self.questions
        if self.state.has_open_question:
            assert self.state.status is Status.INPUT_NEEDED

    @invariant()
    def no_two_schedules_are_the_same_moment_in_a_row(self) -> None:
        """The key of a due event is made of its time."""
        assert all(one != two for one, two in zip(self.schedules[1:], self.schedules[2:], strict=False))


def test_any_order_of_events_gives_a_legal_history() -> None:
    run_state_machine_as_test(WorkflowMachine, settings=settings(ORDINARY, max_examples=400))


@pytest.mark.long
def test_many_more_orders_of_events_give_legal_histories() -> None:
    run_state_machine_as_test(WorkflowMachine, settings=settings(LONG, max_examples=5000))
