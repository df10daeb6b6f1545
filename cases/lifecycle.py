"""PURE: draws the life of a case from `workflow.py`, so that the picture cannot say what the code does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

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
    Outcome,
    ReplyLeftToEvaluation,
    ResultStatus,
    SendRefused,
    Situation,
    Snoozed,
    Status,
    Step,
    apply_outcome,
    may_send,
    plan_event,
)

NOW = datetime(2000, 1, 1, tzinfo=UTC)

ASKED = ("a human is asked", HumanAsked("?"))
REFUSED = ("the provider refuses the mail", SendRefused(""))
GIVEN_UP = ("judging is given up", EvaluationGivenUp(""))
VERDICTS: tuple[tuple[str, Outcome], ...] = (
    ("GOAL_ACHIEVED", GoalReached({})),
    ("FAILED_REJECTED", CounterpartyRefused("")),
    ("SNOOZE", Snoozed(NOW + timedelta(days=1))),
    ASKED,
    REFUSED,
    GIVEN_UP,
)
# What each step of a worker can lead to.
STEP_OUTCOMES: dict[Step, tuple[tuple[str, Outcome], ...]] = {
    Step.NOTHING: (),
    Step.DRAFT_OUTREACH: (("the outreach is sent", MailSent(MailKind.OUTREACH)), ASKED, REFUSED),
    Step.DRAFT_FOLLOW_UP: (("a follow-up is sent", MailSent(MailKind.FOLLOW_UP)), ASKED, REFUSED),
    Step.EVALUATE: VERDICTS,
    Step.CLEAR_SCHEDULE: (("the schedule is cleared: a reply is there", ReplyLeftToEvaluation()),),
    Step.RUN_OUT: (("every follow-up is used", FollowUpsUsedUp()),),
}
# What reaches a case from outside, whatever a worker does.
FROM_OUTSIDE: tuple[tuple[str, Outcome], ...] = (
    ("it is cancelled", Cancelled()),
    ("staff close it with a result", GoalReached({})),
    ("staff close it as failed", CounterpartyRefused("")),
    ("staff want the follow-up now", FollowUpBroughtForward(NOW)),
)
ABOUT_OUR_MAIL: tuple[tuple[str, Outcome], ...] = tuple(
    (f"the provider reports {kind}", DeliveryFailed(kind, ""))
    for kind in (ResultStatus.BOUNCED, ResultStatus.COMPLAINED, ResultStatus.REJECTED)
)
CAUSES = {
    EventKind.CASE_CREATED: "CASE_CREATED",
    EventKind.REPLY_RECEIVED: "a reply",
    EventKind.INPUT_PROVIDED: "an answer",
    EventKind.FOLLOW_UP_DUE: "a follow-up is due",
    EventKind.RECHECK_DUE: "a recheck is due",
}


@dataclass(frozen=True, slots=True)
class Move:
    """One transition. `webhook` is "" when the client is told nothing."""

    start: str
    cause: str
    outcome: str
    end: str
    webhook: str


def list_states() -> Iterator[tuple[str, CaseState, tuple[EventKind, ...]]]:
    """Yields each live state under its name in the picture, with the events that can meet it."""
    new = CaseState(
        status=Status.CREATED,
        attempt_count=0,
        follow_ups_sent=0,
        max_attempts=3,
        follow_up_delay_hours=72,
        snoozes_in_a_row=0,
        next_action=NextAction.NONE,
        next_action_at=None,
        has_open_question=False,
    )
    running = apply_outcome(new, MailSent(MailKind.OUTREACH), NOW).state
    snoozed = apply_outcome(running, Snoozed(NOW + timedelta(days=1)), NOW).state
    asked = apply_outcome(running, HumanAsked("?"), NOW).state
    asked_first = apply_outcome(new, HumanAsked("?"), NOW).state
    yield "CREATED", new, (EventKind.CASE_CREATED,)
    yield "RUNNING", running, (EventKind.REPLY_RECEIVED, EventKind.FOLLOW_UP_DUE)
    yield "RUNNING", replace(running, follow_ups_sent=3, attempt_count=4), (EventKind.FOLLOW_UP_DUE,)
    yield "RUNNING", snoozed, (EventKind.RECHECK_DUE,)
    yield "INPUT_NEEDED", asked, (EventKind.REPLY_RECEIVED,)
    yield "ANSWERED", replace(asked, has_open_question=False), (EventKind.INPUT_PROVIDED, EventKind.REPLY_RECEIVED)
    yield "ANSWERED", replace(asked_first, has_open_question=False), (EventKind.INPUT_PROVIDED,)


def list_moves() -> list[Move]:
    """Returns every transition of a live case, each once, in the order of a life."""
    moves: dict[Move, None] = {}
    for name, state, kinds in list_states():
        for kind in kinds:
            for has_reply in (False, True):
                situation = Situation(scheduled_for=state.next_action_at, has_unread_reply=has_reply)
                plan = plan_event(kind, state, situation)
                for label, outcome in (*STEP_OUTCOMES[plan.step], *_list_answers(kind, plan.step)):
                    moves |= _make_move(name, state, CAUSES[kind], label, outcome)
        reports = ABOUT_OUR_MAIL if state.has_sent_outreach else ()
        for label, outcome in (*FROM_OUTSIDE, *reports):
            moves |= _make_move(name, state, "at any time", label, outcome)
    return list(moves)


def _list_answers(kind: EventKind, step: Step) -> tuple[tuple[str, Outcome], ...]:
    """An evaluation that ends in REQUIRES_REPLY: an answer, or at a recheck a reminder."""
    if step is not Step.EVALUATE:
        return ()
    if kind is EventKind.RECHECK_DUE:
        return (
            ("REQUIRES_REPLY: a reminder is sent", MailSent(MailKind.NUDGE)),
            ("REQUIRES_REPLY, but every follow-up is used", FollowUpsUsedUp()),
        )
    return (("REQUIRES_REPLY: an answer is sent", MailSent(MailKind.REPLY)),)


def _make_move(name: str, state: CaseState, cause: str, label: str, outcome: Outcome) -> dict[Move, None]:
    mail_kind = outcome.kind if isinstance(outcome, MailSent) else MailKind.REPLY
    if isinstance(outcome, MailSent | SendRefused) and not may_send(state, mail_kind):
        return {}
    transition = apply_outcome(state, outcome, NOW)
    if not transition.is_change:
        return {}
    return {Move(name, cause, label, transition.state.status.value, transition.notice or ""): None}


def draw_diagram() -> str:
    """Returns the picture as a Mermaid state diagram, one arrow from state to state with its outcomes."""
    arrows: dict[tuple[str, str], dict[str, None]] = {}
    for move in list_moves():
        arrows.setdefault((move.start, move.end), {})[move.outcome.replace(":", ",")] = None
    lines = ["stateDiagram-v2", '    state "INPUT_NEEDED, answered" as ANSWERED', "    [*] --> CREATED: POST /cases"]
    lines += [f"    {start} --> {end}: {'<br/>'.join(labels)}" for (start, end), labels in arrows.items()]
    lines += ["    INPUT_NEEDED --> ANSWERED: a human answers", "    COMPLETED --> [*]", "    FAILED --> [*]"]
    return "\n".join(lines)


def write_table() -> str:
    """Returns every transition as a Markdown table."""
    header = ["| status | what meets it | what comes of it | next status | webhook |", "|---|---|---|---|---|"]
    names = {"ANSWERED": "`INPUT_NEEDED`, answered"}
    rows = [
        "| {} | {} | {} | `{}` | {} |".format(
            names.get(move.start, f"`{move.start}`"), move.cause, move.outcome, move.end, move.webhook
        )
        for move in list_moves()
    ]
    return "\n".join([*header, *rows])
