"""PURE: whether staff may do something to a case as it stands; must not know who asks or what the rows look like.

Every function returns "" or the sentence that a support agent reads when it cannot be done. What an action then makes
of the case is `cases.workflow`'s matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from cases.names import Status
from cases.workflow import CaseState

_ENDED = "The case has ended, and nothing leaves an end."
_PAUSED = "The case is paused. Resume it first."
_BUSY = "The case is at work on something this very moment. Wait until that is done."


@dataclass(frozen=True, slots=True)
class Standing:
    """What the permits read.

    is_busy: an event of the case waits for a worker or is with one.
    has_dead_step: a step was given up and nothing has overtaken it.
    has_reply: a mail has arrived in the thread.
    closed_address: why the counterparty gets no more mail, or "".
    """

    state: CaseState
    is_paused: bool
    is_busy: bool
    has_dead_step: bool
    has_reply: bool
    closed_address: str = ""


def refuse_pause(standing: Standing) -> str:
    """Returns why the case cannot be paused, or ""."""
    if standing.state.status.is_terminal:
        return "The case has ended; there is nothing to pause."
    return "The case is paused already." if standing.is_paused else ""


def refuse_resume(standing: Standing) -> str:
    """Returns why the case cannot be resumed, or ""."""
    return "" if standing.is_paused else "The case is not paused."


def refuse_follow_up(standing: Standing) -> str:
    """Returns why the next follow-up cannot be sent at once, or ""."""
    state = standing.state
    if state.status.is_terminal:
        return _ENDED
    if standing.is_paused:
        return _PAUSED
    if state.status is Status.INPUT_NEEDED:
        return "The case waits for an answer from one of us. Answer the question; a follow-up would pass it over."
    if not state.has_sent_outreach or state.status is Status.CREATED:
        return "The first message has not been sent yet, so there is nothing to follow up on."
    if state.follow_ups_left == 0:
        return f"Every follow-up of this case is used: {state.follow_ups_sent} of {state.max_attempts}."
    if standing.closed_address:
        return standing.closed_address
    if standing.is_busy:
        return _BUSY
    if standing.has_dead_step:
        return "A step of this case was given up. Requeue it first: it may have been about a reply."
    return ""


def refuse_reevaluation(standing: Standing) -> str:
    """Returns why the last reply cannot be evaluated again, or ""."""
    if standing.state.status.is_terminal:
        return _ENDED
    if standing.is_paused:
        return _PAUSED
    if not standing.state.has_sent_outreach or not standing.has_reply:
        return "No reply has arrived yet, so there is nothing to evaluate."
    if standing.is_busy:
        return _BUSY
    if standing.has_dead_step:
        return "A step of this case was given up. Requeue that one instead."
    return ""


def refuse_end(standing: Standing) -> str:
    """Returns why the case cannot be cancelled or closed by hand, or ""."""
    return _ENDED if standing.state.status.is_terminal else ""
