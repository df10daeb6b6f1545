"""What staff may do to a case beyond what its client may: pause, resume, hurry, judge again, close by hand.

Every function is one transaction under the case's row lock, and may be called twice: the second call finds the first
one's work and says so. A state that does not allow it raises NotPossible and changes nothing. None of them sends a
mail or asks the agent: they record, and a worker acts by the same rules as ever.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from agentmail.services import has_declined, is_suppressed
from cases import ledger
from cases.closing import read_result
from cases.coverage import is_overtaken
from cases.follow_ups import record_due_event
from cases.models import Case, CaseEvent
from cases.nudge import nudge_on_commit
from cases.permits import (
    Standing,
    refuse_end,
    refuse_follow_up,
    refuse_pause,
    refuse_reevaluation,
    refuse_resume,
)
from cases.services import cancel_case
from cases.transitions import lock_case, store_transition
from cases.workflow import (
    CounterpartyRefused,
    EventKind,
    FollowUpBroughtForward,
    GoalReached,
    Outcome,
    Status,
    apply_outcome,
)

logger = logging.getLogger(__name__)

STALE = "Something has happened in this case since you opened the page. Look at the case again, and then decide."


class NotPossible(Exception):
    """The case does not allow it as it stands; `sentence` says why, for a support agent. Nothing was changed."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def look_at(case: Case) -> Standing:
    """Returns what decides about staff's actions on the case; six queries at most."""
    state = case.get_state()
    if state.status.is_terminal:
        return Standing(state, is_paused=False, is_busy=False, has_dead_step=False, has_reply=False)
    dead = [event for event in case.events.filter(status=CaseEvent.DEAD) if not is_overtaken(event, case)]
    return Standing(
        state,
        is_paused=case.paused_at is not None,
        is_busy=case.events.filter(status__in=[CaseEvent.READY, CaseEvent.RUNNING]).exists(),
        has_dead_step=bool(dead),
        has_reply=case.events.filter(kind=EventKind.REPLY_RECEIVED).exists(),
        closed_address=_find_closed_address(case),
    )


def _find_closed_address(case: Case) -> str:
    address = case.counterparty_address
    if is_suppressed(address):
        return f"{address} gets no more mail: a mail to it bounced, was rejected or was marked as spam."
    if has_declined(address, case.client_id):
        return f"{address} has asked this client not to write to it."
    return ""


def get_latest_event_id(case: Case) -> int:
    """Returns the number of the newest event of the case, 0 without one: it tells whether a page is out of date."""
    return case.events.order_by("-id").values_list("id", flat=True).first() or 0


def pause_case(case_id: UUID, *, by: str, now: datetime) -> bool:
    """Holds a live case: mail is recorded, nothing is claimed, evaluated or sent, and the status stays.

    Returns False when it is paused already. What a worker is sending at this very moment may still leave. A bounce,
    a cancellation or a close ends a paused case like any other. Raises NotPossible for a case that has ended.
    """
    with transaction.atomic():
        case = lock_case(case_id)
        if case.paused_at is not None:
            return False
        _require(refuse_pause(look_at(case)))
        case.paused_at = now
        # Not `updated_at`: the client sees nothing of a pause.
        case.save(update_fields=["paused_at"])
        _note(case, EventKind.CASE_PAUSED, f"paused:{case.id}:{now.isoformat()}", by, f"Paused by {by}.")
    return True


def resume_case(case_id: UUID, *, by: str, now: datetime) -> bool:
    """Lets a paused case go on: what was recorded meanwhile is taken up at once, a follow-up that fell due too.

    Returns False when it is not paused. A step that was given up has its three days from this moment on.
    """
    with transaction.atomic():
        case = lock_case(case_id)
        if refuse_resume(look_at(case)):
            return False
        paused_at, case.paused_at = case.paused_at, None
        case.save(update_fields=["paused_at"])
        key = f"resumed:{case.id}:{paused_at.isoformat() if paused_at else ''}"
        _note(case, EventKind.CASE_RESUMED, key, by, f"Resumed by {by}.")
        record_due_event(case.id, now)
        ledger.wake(case.id)
        nudge_on_commit(case.id)
    return True


def send_follow_up_now(case_id: UUID, *, seen_event_id: int, by: str, now: datetime) -> bool:
    """Makes the next follow-up due at once; the worker then writes and sends it, and it counts like any other.

    `seen_event_id` is the newest event of the page on which staff decided: the same page again records nothing and
    returns False, and a page that is out of date raises NotPossible. A reply that arrives first is evaluated instead.
    """
    with transaction.atomic():
        case = lock_case(case_id)
        if case.events.filter(kind=EventKind.FOLLOW_UP_DUE, payload__after=seen_event_id).exists():
            return False
        _require(refuse_follow_up(look_at(case)))
        _require(STALE if get_latest_event_id(case) != seen_event_id else "")
        at = _choose_moment(case, now)
        store_transition(case, apply_outcome(case.get_state(), FollowUpBroughtForward(at), at), now=at)
        ledger.record(
            case_id=case.id,
            kind=EventKind.FOLLOW_UP_DUE,
            key=f"follow-up:{case.id}:{case.get_next_action_ms()}",
            payload={"scheduled_for": at.isoformat(), "by": by, "after": seen_event_id},
        )
        nudge_on_commit(case.id)
    return True


def _choose_moment(case: Case, now: datetime) -> datetime:
    """Returns a whole millisecond, at which nothing of this case was due before: the event's key is made of it."""
    moment = max(case.get_now(now), case.updated_at + timedelta(milliseconds=1))
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def reevaluate_last_reply(case_id: UUID, *, seen_event_id: int, by: str, now: datetime) -> bool:
    """Has the agent judge the thread once more, with the last reply as if it had just arrived.

    `seen_event_id` makes the event's key, so that a double click makes one; then this returns False. A page that is
    out of date raises NotPossible. Whatever the agent decides is acted on, an answer in the thread included.
    """
    key = f"reevaluate:{case_id}:{seen_event_id}"
    with transaction.atomic():
        case = lock_case(case_id)
        if case.events.filter(key=key).exists():
            return False
        _require(refuse_reevaluation(look_at(case)))
        _require(STALE if get_latest_event_id(case) != seen_event_id else "")
        ledger.record(case_id=case.id, kind=EventKind.REEVALUATION_ASKED, key=key, payload={"by": by})
        nudge_on_commit(case.id)
    logger.info("case %s: the last reply is evaluated again at %s", case_id, now.isoformat())
    return True


def close_with_result(case_id: UUID, result_text: str, *, by: str, now: datetime) -> Case:
    """Completes a live case with the result that `result_text` spells as JSON; the client gets `case.completed`.

    Raises BadResult where it does not satisfy the client's schema, NotPossible when the case has ended.
    """
    with transaction.atomic():
        case = lock_case(case_id)
        _require(_refuse_close(case))
        result = read_result(result_text, case.result_schema)
        _close(case, GoalReached(result), f"Closed by {by} with a result.", by=by, now=now)
    return case


def close_as_failed(case_id: UUID, reason: str, *, by: str, now: datetime) -> Case:
    """Ends a live case as `failed_rejected`; its client gets `case.failed` and may read the reason.

    Raises NotPossible when the case has ended.
    """
    with transaction.atomic():
        case = lock_case(case_id)
        _require(_refuse_close(case))
        _close(case, CounterpartyRefused(reason), f"Closed by {by} without the result: {reason}", by=by, now=now)
    return case


def cancel_by_hand(case_id: UUID, *, by: str, now: datetime) -> Case:
    """Cancels a live case as its client may. Raises NotPossible when it has ended, also by a cancellation before."""
    with transaction.atomic():
        _require(_refuse_close(lock_case(case_id)))
        return cancel_case(case_id, by=by, now=now)


def _refuse_close(case: Case) -> str:
    """Returns who was faster, or what else has ended the case; "" for a live one."""
    if not refuse_end(look_at(case)):
        return ""
    ended = case.events.filter(kind__in=[EventKind.CASE_CLOSED, EventKind.CASE_CANCELLED]).order_by("id").first()
    return ended.summary if ended is not None else f"The case has ended already, as {case.status}."


def _close(case: Case, outcome: Outcome, summary: str, *, by: str, now: datetime) -> None:
    moment = case.get_now(now)
    store_transition(case, apply_outcome(case.get_state(), outcome, moment), now=moment)
    _note(case, EventKind.CASE_CLOSED, f"closed:{case.id}", by, summary)
    if Status(case.status).is_terminal:
        nudge_on_commit(case.id)


def _note(case: Case, kind: EventKind, key: str, by: str, summary: str) -> None:
    ledger.record(case_id=case.id, kind=kind, key=key, payload={"by": by}, summary=summary, born_done=True)


def _require(refusal: str) -> None:
    if refusal:
        raise NotPossible(refusal)
