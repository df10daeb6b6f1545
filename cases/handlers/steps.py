"""Finds the step that a claimed event calls for and takes it; must not hold a rule of the workflow."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from django.db import transaction

from agentmail.reading import ThreadView, read_thread
from agentmail.services import find_frozen_mail
from cases import ledger
from cases.coverage import has_later_decision, list_seen_ids
from cases.handlers.drafting import draft_and_send
from cases.handlers.ending import conclude
from cases.handlers.evaluating import act_on_decision, evaluate
from cases.handlers.live_mail import keep_live_mail
from cases.handlers.seen import PAUSED, UNSEEN, find_run, list_unread, should_look_again
from cases.handlers.sending import send_frozen_mail
from cases.handlers.tools import Tools, release_connection
from cases.ledger import Claim
from cases.models import AgentRun, Case
from cases.transitions import lock_case, read_case
from cases.workflow import (
    CaseState,
    EventKind,
    FollowUpsUsedUp,
    MailKind,
    Plan,
    ReplyLeftToEvaluation,
    Situation,
    Step,
    plan_event,
)


def perform(claimed: Claim, tools: Tools) -> None:
    """Does what the event calls for and finishes it; raises LeaseLost, agent errors, or anything unexpected.

    A second run of the same event finds what the first one froze and goes on from there.
    """
    run = find_run(claimed)
    if run is not None:
        _go_on(claimed, run, tools)
        return
    case = _read_unless_paused(claimed)
    if case is None:
        return
    thread = None
    if claimed.kind is EventKind.FOLLOW_UP_DUE and case.thread_id:
        # A reply whose webhook was lost is found here, before a follow-up goes out.
        release_connection()
        thread = read_thread(case.id, client=tools.mail)
    state = case.get_state()
    plan = plan_event(claimed.kind, state, _look_around(claimed, state, case, thread))
    if plan.step in (Step.DRAFT_FOLLOW_UP, Step.RUN_OUT) and should_look_again(claimed, thread):
        ledger.postpone(claimed, UNSEEN, None)
        return
    _take_step(plan, claimed, case, thread, tools)


def _read_unless_paused(claimed: Claim) -> Case | None:
    """Returns the case, or None after it was paused behind the claim and the event was put off.

    The pause is looked at again, under the case's lock, before anything is sent or changed.
    """
    case = read_case(claimed.case_id)
    if case.paused_at is None:
        return case
    with transaction.atomic():
        # Under the lock here too: a resume of this moment wakes only what waits, and this event does not wait yet.
        case = lock_case(claimed.case_id)
        if case.paused_at is None:
            return case
        ledger.postpone(claimed, PAUSED, None)
    return None


def _take_step(plan: Plan, claimed: Claim, case: Case, thread: ThreadView | None, tools: Tools) -> None:
    match plan.step:
        case Step.NOTHING:
            ledger.finish(claimed, plan.reason)
        case Step.DRAFT_OUTREACH:
            draft_and_send(claimed, case, MailKind.OUTREACH, None, tools)
        case Step.DRAFT_FOLLOW_UP:
            draft_and_send(claimed, case, MailKind.FOLLOW_UP, thread, tools)
        case Step.EVALUATE:
            evaluate(claimed, case, tools)
        case Step.RUN_OUT:
            conclude(claimed, FollowUpsUsedUp(), plan.reason, tools)
        case Step.CLEAR_SCHEDULE:
            _leave_to_evaluation(claimed, thread, plan.reason, tools)
        case _:
            assert_never(plan.step)


def _go_on(claimed: Claim, run: AgentRun, tools: Tools) -> None:
    """The decision is frozen already: the agent is not asked again."""
    has_mail = find_frozen_mail(str(claimed.event_id)) is not None
    if not has_mail and has_later_decision(claimed.case_id, claimed.event_id):
        ledger.finish(claimed, "A later event of the case was decided first; this decision is out of date.")
    elif has_mail:
        send_frozen_mail(claimed, MailKind(run.mail_kind), tools)
    else:
        act_on_decision(claimed, run, tools)


def _look_around(claimed: Claim, state: CaseState, case: Case, thread: ThreadView | None) -> Situation:
    """Asks only what the plan of this kind of event can depend on."""
    scheduled = claimed.payload.get("scheduled_for")
    scheduled_for = datetime.fromisoformat(scheduled) if scheduled else None
    if state.status.is_terminal:
        return Situation(scheduled_for)
    match claimed.kind:
        case EventKind.FOLLOW_UP_DUE:
            return Situation(scheduled_for, has_unread_reply=bool(list_unread(case, list_seen_ids(case.id), thread)))
        case EventKind.REPLY_RECEIVED:
            covered = claimed.payload.get("message_id") in list_seen_ids(case.id).message_ids
        case EventKind.INPUT_PROVIDED:
            covered = claimed.payload.get("input_request_id") in list_seen_ids(case.id).input_request_ids
        case _:
            covered = False
    return Situation(scheduled_for, is_covered=covered)


def _leave_to_evaluation(claimed: Claim, thread: ThreadView | None, reason: str, tools: Tools) -> None:
    if thread is not None:
        keep_live_mail(thread, tools)
    conclude(claimed, ReplyLeftToEvaluation(), reason, tools)
