"""Takes one thread of a corpus along the path of a reply in a worker; must not score it, store or send anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cases.agent.decisions import Decision, InputNeeded
from cases.agent.protocol import (
    Agent,
    AgentMisconfigured,
    AgentOverBudget,
    AgentTemporary,
    CaseView,
    Draft,
    Outcome,
    RunAudit,
)
from cases.evaluation.corpus import NONE, Line
from cases.handlers.briefing import compose_view
from cases.handlers.judging import deserves_judgement, judge_thread, may_be_acted_on
from cases.handlers.seen import is_person

# The line was played, and the model gave nothing.
UNANSWERED = "UNANSWERED"
TRIES = 3
LONGEST_PAUSE_S = 60.0


class ModelUnreachable(Exception):
    """The model cannot be asked at all; the text is a sentence with the reason."""


@dataclass(frozen=True, slots=True)
class Play:
    """What came of one line.

    `answered` is the agent's own word, before code limited it; None where the agent was not asked or gave nothing.
    `seconds` is the time that the agent took, None where it was not asked.
    """

    line: Line
    decision: Decision | None
    audit: RunAudit | None
    answered: Decision | None
    seconds: float | None
    note: str = ""

    @property
    def outcome(self) -> str:
        """The decision's kind, NONE where the mail is no answer, UNANSWERED where the model said nothing."""
        if self.decision is not None:
            return self.decision.kind
        return UNANSWERED if self.note else NONE

    @property
    def was_asked(self) -> bool:
        """Whether the agent was asked; what never gets that far is decided by code."""
        return self.seconds is not None


class _Witness:
    """An agent that keeps what another one says, before anything limits it."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.answered: Decision | None = None
        self.seconds: float | None = None

    def draft_outreach(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        return self._agent.draft_outreach(view)

    def draft_follow_up(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        return self._agent.draft_follow_up(view)

    def evaluate(self, view: CaseView) -> Outcome[Decision]:
        started = time.perf_counter()
        try:
            outcome = self._agent.evaluate(view)
        finally:
            self.seconds = time.perf_counter() - started
        self.answered = outcome.value
        return outcome


def view_line(line: Line) -> CaseView:
    """Returns what an agent is shown of a line."""
    new = (line.reply.message_id,) if is_person(line.reply) else ()
    return compose_view(line.case, [], line.messages, "reply", line.now, new_message_ids=new)


def play(line: Line, agent: Agent, *, pause: Callable[[float], None] = time.sleep) -> Play:
    """Returns what the worker would decide about the line's reply.

    A model that is busy is asked again, three times in all, after the time that it names (`pause`, in seconds).
    Raises ModelUnreachable when the settings are wrong, so that no other line can do better.
    """
    unread = (line.reply,) if is_person(line.reply) else ()
    if not deserves_judgement(unread, line.reply):
        return Play(line, None, None, None, None)
    view = view_line(line)
    last_word = next((message for message in reversed(line.messages) if is_person(message)), None)
    for number in range(1, TRIES + 1):
        witness = _Witness(agent)
        try:
            decision, audit = judge_thread(view, last_word, witness, is_vouched=False)
        except AgentOverBudget as error:
            return Play(line, None, None, None, witness.seconds, note=error.reason)
        except AgentMisconfigured as error:
            raise ModelUnreachable(error.reason) from None
        except AgentTemporary as error:
            if number == TRIES:
                return Play(line, None, None, None, witness.seconds, note=error.reason)
            pause(min(error.retry_after_s or 2.0 ** (number - 1), LONGEST_PAUSE_S))
            continue
        if not may_be_acted_on(decision, unread):
            return Play(line, None, audit, witness.answered, witness.seconds)
        return Play(line, decision, audit, witness.answered, witness.seconds)
    raise AssertionError("every try returns or goes on")
