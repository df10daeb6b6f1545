"""Ends an event: applies an outcome to the case and finishes the claim in one transaction; must not ask the agent."""

from __future__ import annotations

from django.db import transaction

from agentmail.services import decline
from cases import ledger
from cases.coverage import list_seen_ids
from cases.handlers.seen import PAUSED, list_unread
from cases.handlers.tools import Tools
from cases.ledger import Claim
from cases.models import Case
from cases.transitions import lock_case, store_transition
from cases.workflow import FollowUpsUsedUp, Outcome, ReplyLeftToEvaluation, apply_outcome, hear_counterparty


def conclude(
    claimed: Claim,
    outcome: Outcome,
    summary: str,
    tools: Tools,
    *,
    has_heard_counterparty: bool = False,
    declined: str = "",
) -> None:
    """Applies an outcome to the case and finishes the event in one transaction; raises LeaseLost.

    An outcome that comes too late changes nothing, and the timeline says so; in a paused case it waits. `declined` is
    how the counterparty asked not to be written to: from this moment on no case of this client writes to that address.
    """
    with transaction.atomic():
        case = lock_case(claimed.case_id)
        ledger.fence(claimed)
        if case.paused_at is not None:
            # Paused while this was being thought: what was frozen is applied when somebody resumes the case.
            ledger.postpone(claimed, PAUSED, None)
            return
        now = case.get_now(tools.read_clock())
        state = case.get_state()
        if has_heard_counterparty:
            state = hear_counterparty(state)
        if isinstance(outcome, FollowUpsUsedUp) and _has_unread(claimed, case):
            # A reply that came while this worker was busy decides, not the silence before it.
            outcome, summary = ReplyLeftToEvaluation(), "The counterparty has replied: the reply decides."
        transition = apply_outcome(state, outcome, now)
        if transition.is_change:
            store_transition(case, transition, now=now)
        else:
            summary = f"{summary} It changed nothing: the case was {case.status}."
        if declined:
            decline(case.counterparty_address, case.client_id, declined, tools.read_clock())
            summary = f"{summary} {case.counterparty_address} gets no more mail from this client."
        ledger.finish(claimed, summary)


def _has_unread(claimed: Claim, case: Case) -> bool:
    return bool(list_unread(case, list_seen_ids(case.id, with_event=claimed.event_id), None))
