"""What a thread means, whichever agent judges it, within the limits of code; must not store anything or act on it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentmail.inbound import AutomaticKind
from agentmail.reading import MailMessage
from cases.agent.decisions import Decision, InputNeeded, Snooze
from cases.agent.protocol import Agent, AgentUnusable, CaseView, RunAudit
from cases.handlers.limiting import limit_decision
from cases.handlers.runs import RULES
from cases.handlers.seen import is_unproven

# In the languages that the offline agent reads. Too much found here costs one more question, too little a false ending.
_NO = re.compile(r"\W*(no|nope|nein|non|nee|não|nie)\b", re.IGNORECASE)
_DENIAL = re.compile(
    r"\b(not (genuine|real|theirs|them|him|her|true)|forge[dr]|fake[ds]?|fraud|scam|spam|phish\w*|imposter|impostor)\b|"
    r"\b(gefälscht|betrug|nicht echt|frauduleux|fausse?|falso|falsa|estafa|truffa|vervalst|nep)\b|"
    r"\bignore (it|this|that|them|him|her)\b",
    re.IGNORECASE,
)


def is_denial(answer: str) -> bool:
    """Whether a human's answer says no, or calls a mail forged: such an answer vouches for nothing."""
    return bool(_NO.match(answer) or _DENIAL.search(answer))


def deserves_judgement(unread: Sequence[MailMessage], arrived: MailMessage | None) -> bool:
    """Whether a mail that arrived is for the agent: a person wrote, or a note of absence may name a date."""
    return bool(unread) or (arrived is not None and arrived.automatic == AutomaticKind.OUT_OF_OFFICE)


def may_be_acted_on(decision: Decision, unread: Sequence[MailMessage]) -> bool:
    """Whether a decision on a mail that arrived counts: where no person wrote, only a wait does."""
    return bool(unread) or isinstance(decision, Snooze)


def judge_thread(
    view: CaseView, last_word: MailMessage | None, agent: Agent, *, is_vouched: bool
) -> tuple[Decision, RunAudit]:
    """Returns what the thread means and the record of how that came about; doubt about the sender goes to a human.

    last_word: the newest mail from a person; is_vouched says that a human of ours has answered with it in view.
    Raises AgentTemporary or AgentMisconfigured.
    """
    if last_word is not None and is_unproven(last_word) and not is_vouched:
        question = (
            f"A mail that names {last_word.from_name or last_word.from_address} as its sender arrived, but the mail "
            "provider could not prove where it came from. Read it in the case. If it is genuine, say what should "
            "happen next; if it is not, say so."
        )
        return InputNeeded(kind="INPUT_NEEDED", question=question, rationale="The sender is not proven."), RULES
    try:
        outcome = agent.evaluate(view)
    except AgentUnusable as error:
        question = f"The agent could not judge this thread: {error.reason} Read it and say what should happen next."
        return InputNeeded(kind="INPUT_NEEDED", question=question, rationale=error.reason), error.audit or RULES
    return limit_decision(outcome.value, outcome.audit, view, is_vouched=is_vouched)
