"""PURE: what each event and each decision means for a case; must not read a clock, a database or the network.

The rules are those of docs/lifecycle.md. Two questions are answered here and nowhere else:
`plan_event` says what a worker has to do with an event, and `apply_outcome` says what the case becomes
once that is done. Both are total: every status meets every event and every outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never

from cases.names import EventKind as EventKind
from cases.names import MailKind as MailKind
from cases.names import NextAction as NextAction
from cases.names import Notice as Notice
from cases.names import ResultStatus as ResultStatus
from cases.names import Status as Status

SNOOZES_BEFORE_A_HUMAN = 5


@dataclass(frozen=True, slots=True)
class CaseState:
    """The part of a case that decisions read and change; everything else about a case is content."""

    status: Status
    attempt_count: int
    follow_ups_sent: int
    max_attempts: int
    follow_up_delay_hours: int
    snoozes_in_a_row: int
    next_action: NextAction
    next_action_at: datetime | None
    has_open_question: bool
    result_status: str = ""
    result: dict[str, Any] | None = None
    failure_reason: str = ""

    @property
    def has_sent_outreach(self) -> bool:
        return self.attempt_count > 0

    @property
    def follow_ups_left(self) -> int:
        return max(0, self.max_attempts - self.follow_ups_sent)


# -- What to do with an event


class Step(StrEnum):
    """The one thing a worker does with a claimed event."""

    NOTHING = "nothing"
    DRAFT_OUTREACH = "draft_outreach"
    DRAFT_FOLLOW_UP = "draft_follow_up"
    EVALUATE = "evaluate"
    CLEAR_SCHEDULE = "clear_schedule"
    RUN_OUT = "run_out"


@dataclass(frozen=True, slots=True)
class Situation:
    """What a worker knows beside the case's state when it takes up an event.

    scheduled_for: the `next_action_at` that a due event was recorded for.
    has_unread_reply: a person among the counterparty's side wrote something no evaluation has covered.
    is_covered: this event's own message or answer was part of an evaluation that has been applied.
    """

    scheduled_for: datetime | None = None
    has_unread_reply: bool = False
    is_covered: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    step: Step
    reason: str


def plan_event(kind: EventKind, state: CaseState, situation: Situation) -> Plan:
    """Returns the step that `kind` calls for, with a sentence for the timeline; never raises."""
    if kind.is_applied_at_once:
        return Plan(Step.NOTHING, "This was applied to the case when it was recorded.")
    if state.status.is_terminal:
        return Plan(Step.NOTHING, f"The case had already ended as {state.status}.")
    if kind is EventKind.CASE_CREATED:
        return _plan_outreach(state)
    if kind in (EventKind.FOLLOW_UP_DUE, EventKind.RECHECK_DUE):
        return _plan_due(kind, state, situation)
    return _plan_evaluation(kind, state, situation)


def _plan_outreach(state: CaseState) -> Plan:
    if state.status is Status.CREATED and not state.has_sent_outreach:
        return Plan(Step.DRAFT_OUTREACH, "The case is new: write the first message.")
    return Plan(Step.NOTHING, "The first message had already been taken care of.")


def _plan_due(kind: EventKind, state: CaseState, situation: Situation) -> Plan:
    wanted = NextAction.FOLLOW_UP if kind is EventKind.FOLLOW_UP_DUE else NextAction.RECHECK
    is_current = (
        state.status is Status.RUNNING
        and state.next_action is wanted
        and state.next_action_at is not None
        and state.next_action_at == situation.scheduled_for
    )
    if not is_current:
        return Plan(Step.NOTHING, "The schedule had changed since this was due.")
    if situation.has_unread_reply and wanted is NextAction.FOLLOW_UP:
        return Plan(Step.CLEAR_SCHEDULE, "The counterparty has replied: the reply decides.")
    if wanted is NextAction.RECHECK:
        return Plan(Step.EVALUATE, "The time to look again has come.")
    if state.follow_ups_left == 0:
        return Plan(Step.RUN_OUT, "No reply came, and every follow-up has been used.")
    return Plan(Step.DRAFT_FOLLOW_UP, "No reply came: write a follow-up.")


def _plan_evaluation(kind: EventKind, state: CaseState, situation: Situation) -> Plan:
    if situation.is_covered:
        return Plan(Step.NOTHING, "An earlier evaluation had already seen this.")
    if kind is EventKind.INPUT_PROVIDED and not state.has_sent_outreach:
        return Plan(Step.DRAFT_OUTREACH, "The question before the first message is answered: write it.")
    if not state.has_sent_outreach:
        return Plan(Step.NOTHING, "Nothing has been sent yet, so there is nothing to evaluate.")
    if kind is EventKind.REPLY_RECEIVED:
        return Plan(Step.EVALUATE, "The counterparty wrote: evaluate the thread.")
    if kind is EventKind.REEVALUATION_ASKED:
        return Plan(Step.EVALUATE, "Staff asked for the last reply to be evaluated again.")
    return Plan(Step.EVALUATE, "A human answered: evaluate the thread with the answer.")


# -- What a case becomes


@dataclass(frozen=True, slots=True)
class MailSent:
    """A mail is known to have left."""

    kind: MailKind


@dataclass(frozen=True, slots=True)
class SendRefused:
    """The provider refused a mail for good, or a mail that could not be sent was given up."""

    reason: str


@dataclass(frozen=True, slots=True)
class GoalReached:
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CounterpartyRefused:
    reason: str


@dataclass(frozen=True, slots=True)
class HumanAsked:
    question: str


@dataclass(frozen=True, slots=True)
class Snoozed:
    until: datetime


@dataclass(frozen=True, slots=True)
class ReplyLeftToEvaluation:
    """A due follow-up met a reply: nothing is due until that reply is evaluated."""


@dataclass(frozen=True, slots=True)
class FollowUpsUsedUp:
    pass


@dataclass(frozen=True, slots=True)
class FollowUpBroughtForward:
    """Staff want the next follow-up at once; `at` is a moment for which none was ever due (it makes the key)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """The provider reported a bounce, complaint or rejection of a mail of ours."""

    kind: ResultStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    pass


@dataclass(frozen=True, slots=True)
class EvaluationGivenUp:
    reason: str


Outcome = (
    MailSent
    | SendRefused
    | GoalReached
    | CounterpartyRefused
    | HumanAsked
    | Snoozed
    | ReplyLeftToEvaluation
    | FollowUpsUsedUp
    | FollowUpBroughtForward
    | DeliveryFailed
    | Cancelled
    | EvaluationGivenUp
)


@dataclass(frozen=True, slots=True)
class Transition:
    """A case's next state and what the outside is told.

    notice: the client webhook to record, or None.
    question: the question to put to a human, or "".
    closes_question: the pending input request, if there is one, becomes RESOLVED.
    is_change: False when the outcome came too late to mean anything.
    """

    state: CaseState
    notice: Notice | None = None
    question: str = ""
    closes_question: bool = False
    is_change: bool = True


def apply_outcome(state: CaseState, outcome: Outcome, now: datetime) -> Transition:
    """Returns what `outcome` makes of `state`; terminal states keep status and schedule whatever comes."""
    if isinstance(outcome, MailSent):
        return _apply_mail_sent(state, outcome, now)
    if state.status.is_terminal:
        return Transition(state, is_change=False)
    match outcome:
        case GoalReached(result=result):
            ended = replace(state, result=result, result_status=ResultStatus.GOAL_ACHIEVED)
            return _end(ended, Status.COMPLETED, Notice.COMPLETED)
        case CounterpartyRefused(reason=reason):
            return _fail(state, ResultStatus.FAILED_REJECTED, reason)
        case SendRefused(reason=reason):
            return _fail(state, ResultStatus.SEND_FAILED, reason)
        case EvaluationGivenUp(reason=reason):
            return _fail(state, ResultStatus.EVALUATION_FAILED, reason)
        case DeliveryFailed(kind=kind, reason=reason):
            return _fail(state, kind, reason)
        case Cancelled():
            return _fail(state, ResultStatus.CANCELLED, "The case was cancelled.")
        case FollowUpsUsedUp():
            return _run_out(state)
        case HumanAsked(question=question):
            return _ask_human(state, question)
        case Snoozed(until=until):
            return _snooze(state, until)
        case ReplyLeftToEvaluation():
            return Transition(_clear_schedule(state))
        case FollowUpBroughtForward(at=at):
            return _bring_forward(state, at)
        case _:
            assert_never(outcome)


def may_send(state: CaseState, kind: MailKind) -> bool:
    """Whether a mail of `kind` may leave in `state`.

    Nothing leaves an ended case, nor one that waits for a human; a nudge needs a follow-up that is left.
    """
    if state.status.is_terminal or state.has_open_question:
        return False
    return not kind.uses_follow_up or state.follow_ups_left > 0


def hear_counterparty(state: CaseState) -> CaseState:
    """Returns `state` after a word from the counterparty: the row of snoozes is broken."""
    return replace(state, snoozes_in_a_row=0)


def _apply_mail_sent(state: CaseState, sent: MailSent, now: datetime) -> Transition:
    counted = replace(
        state,
        attempt_count=state.attempt_count + 1,
        follow_ups_sent=state.follow_ups_sent + (1 if sent.kind.uses_follow_up else 0),
    )
    if state.status.is_terminal or state.has_open_question:
        return Transition(counted)
    running = replace(
        counted,
        status=Status.RUNNING,
        next_action=NextAction.FOLLOW_UP,
        next_action_at=now + timedelta(hours=state.follow_up_delay_hours),
        # An answer in the thread follows a word from the counterparty or from a human of ours.
        snoozes_in_a_row=0 if sent.kind is MailKind.REPLY else state.snoozes_in_a_row,
    )
    return Transition(running)


def _clear_schedule(state: CaseState) -> CaseState:
    return replace(state, next_action=NextAction.NONE, next_action_at=None)


def _end(state: CaseState, status: Status, notice: Notice) -> Transition:
    ended = replace(_clear_schedule(state), status=status, has_open_question=False)
    return Transition(ended, notice=notice, closes_question=state.has_open_question)


def _fail(state: CaseState, result_status: ResultStatus, reason: str) -> Transition:
    return _end(replace(state, result_status=result_status, failure_reason=reason), Status.FAILED, Notice.FAILED)


def _bring_forward(state: CaseState, at: datetime) -> Transition:
    if state.status is not Status.RUNNING or state.follow_ups_left == 0:
        return Transition(state, is_change=False)
    return Transition(replace(state, next_action=NextAction.FOLLOW_UP, next_action_at=at))


def _run_out(state: CaseState) -> Transition:
    return _fail(state, ResultStatus.MAX_RETRIES, "The counterparty did not answer, and every follow-up was used.")


def _ask_human(state: CaseState, question: str) -> Transition:
    if state.has_open_question:
        # One question at a time: what came up meanwhile stands on the timeline, and the answer meets both.
        return Transition(state, is_change=False)
    asked = replace(_clear_schedule(state), status=Status.INPUT_NEEDED, has_open_question=True, snoozes_in_a_row=0)
    return Transition(asked, notice=Notice.INPUT_NEEDED, question=question)


def _snooze(state: CaseState, until: datetime) -> Transition:
    if state.has_open_question:
        return Transition(state, is_change=False)
    if state.snoozes_in_a_row >= SNOOZES_BEFORE_A_HUMAN:
        question = (
            f"The case has been put off {state.snoozes_in_a_row} times in a row without a word from the counterparty. "
            "Should Offload write again, wait, or stop?"
        )
        return _ask_human(state, question)
    if until == state.next_action_at:
        # The key of a due event is made of its time: the same time again would never be due again.
        until += timedelta(minutes=1)
    snoozed = replace(
        state,
        status=Status.RUNNING,
        next_action=NextAction.RECHECK,
        next_action_at=until,
        snoozes_in_a_row=state.snoozes_in_a_row + 1,
    )
    return Transition(snoozed)
