"""Ends an event: applies an outcome to the case and finishes the claim in one transaction; must not ask the agent."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction

from cases import ledger
from cases.handlers.tools import Tools
from cases.ledger import Claim
from cases.transitions import lock_case, store_transition
from cases.workflow import Outcome, apply_outcome, hear_counterparty


def conclude(
    claimed: Claim,
    outcome: Outcome,
    summary: str,
    tools: Tools,
    *,
    has_heard_counterparty: bool = False,
    also: Callable[[], None] | None = None,
) -> None:
    """Applies an outcome to the case and finishes the event in one transaction; raises LeaseLost.

    An outcome that comes too late changes nothing, and the timeline says so.
    """
    with transaction.atomic():
        case = lock_case(claimed.case_id)
        ledger.fence(claimed)
        now = case.get_now(tools.read_clock())
        state = case.get_state()
        if has_heard_counterparty:
            state = hear_counterparty(state)
        transition = apply_outcome(state, outcome, now)
        if transition.is_change:
            store_transition(case, transition, now=now)
        else:
            summary = f"{summary} It changed nothing: the case was {case.status}."
        if also is not None:
            also()
        ledger.finish(claimed, summary)
