"""What code does not let stand, whichever agent wrote it: a mail, a verdict, a result, a wait; must not store anything.

An agent that checks itself finds the same faults earlier and may mend them. Here a fault always goes to a human.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cases.agent.decisions import (
    Decision,
    FailedRejected,
    GoalAchieved,
    InputNeeded,
    RequiresReply,
    Snooze,
    check_snooze,
)
from cases.agent.evidence import check_evidence, check_refusal
from cases.agent.guard import GuardHit, check_outgoing
from cases.agent.offline.reading import Reply
from cases.agent.offline.signals import is_meant_for_machine
from cases.agent.protocol import CaseView, Draft, Outcome, RunAudit
from cases.agent.schema import ResultSchema, compile_result_schema

LIMITED = "Code does not let the agent's answer stand."
# Of our answers in a thread, before a human looks: two machines may be writing to each other.
REPLIES_BEFORE_A_HUMAN = 6


def limit_draft(outcome: Outcome[Draft | InputNeeded], view: CaseView) -> Outcome[Draft | InputNeeded]:
    """Returns the draft, or a question to a human when the guard finds something in it that must not leave."""
    if isinstance(outcome.value, InputNeeded):
        return outcome
    hits = check_outgoing(outcome.value.body, outcome.value.subject, view)
    if not hits:
        return outcome
    return Outcome(_ask_for_words(hits), _note(outcome.audit, hits))


def limit_decision(
    decision: Decision, audit: RunAudit, view: CaseView, *, is_vouched: bool
) -> tuple[Decision, RunAudit]:
    """Returns the decision, or a question to a human where code does not let it stand, with its record.

    A verdict ends a case only on a word from the counterparty, or one that a human of ours has vouched for, and not
    while a mail gives orders to the program; a result satisfies the schema and stands in the mails that its evidence
    names; a refusal is in their words; a snooze lies ahead and within its limit; a mail passes the guard.
    """
    if isinstance(decision, RequiresReply):
        hits = check_outgoing(decision.body, "", view)
        return (_ask_for_words(hits), _note(audit, hits)) if hits else (decision, audit)
    question = _find_doubt(decision, view, is_vouched=is_vouched)
    if not question:
        return decision, audit
    limited = InputNeeded(kind="INPUT_NEEDED", question=question, rationale=LIMITED)
    return limited, replace(audit, guard_hits=(*audit.guard_hits, question))


def limit_replies(
    decision: Decision, audit: RunAudit, view: CaseView, *, replies_sent: int
) -> tuple[Decision, RunAudit]:
    """Returns the decision, or a question where it would answer once more; `replies_sent`: since a human last spoke."""
    if not isinstance(decision, RequiresReply) or replies_sent < REPLIES_BEFORE_A_HUMAN:
        return decision, audit
    question = (
        f"Offload has answered {view.counterparty_name} {replies_sent} times in this conversation, and it still is not "
        "settled. Read it: should Offload go on, and with what?"
    )
    limited = InputNeeded(kind="INPUT_NEEDED", question=question, rationale=LIMITED)
    return limited, replace(audit, guard_hits=(*audit.guard_hits, f"turns: {replies_sent} answers in a row"))


def _find_doubt(decision: Decision, view: CaseView, *, is_vouched: bool) -> str:
    """Returns what a human has to be asked about the decision, "" when it stands."""
    if isinstance(decision, GoalAchieved | FailedRejected):
        question = _doubt_author(view, is_vouched=is_vouched) or ("" if is_vouched else _doubt_orders(view))
        if question:
            return question
    match decision:
        case GoalAchieved():
            return _doubt_result(decision, view)
        case FailedRejected():
            if check_refusal(decision.evidence, view):
                return (
                    f"The agent reads a refusal in the conversation: {decision.reason} Its words could not be found. "
                    f"Did {view.counterparty_name} refuse?"
                )
        case Snooze():
            if fault := check_snooze(decision.until, view.now):
                return f"{view.counterparty_name} asks for time, but {fault}. When should Offload look again?"
    return ""


def _doubt_author(view: CaseView, *, is_vouched: bool) -> str:
    last = next((m for m in reversed(view.thread) if m.sender != "us" and not m.is_automatic), None)
    if last is not None and last.sender == "other" and not is_vouched:
        return f"{last.sender_name} answered instead of {view.counterparty_name}. Does their word count?"
    if last is None and not view.human_answers:
        return "The agent wants to end this case, but nobody has answered yet. What should happen?"
    return ""


def _doubt_orders(view: CaseView) -> str:
    """A trip-wire and no boundary: whoever writes to the program is not answering the question."""
    answered_at = view.human_answers[-1].answered_at if view.human_answers else None
    labels = [name for field in compile_result_schema(view.result_schema).fields for name in (field.name, field.label)]
    for message in view.thread:
        is_read = answered_at is not None and message.sent_at <= answered_at
        if message.sender == "us" or message.is_automatic or is_read:
            continue
        if is_meant_for_machine(Reply(message), labels):
            return (
                f"A message of {message.sender_name} gives orders to the program that reads it, and the agent wants to "
                "end this case. Read the conversation: is this their answer, and what should happen?"
            )
    return ""


def _doubt_result(decision: GoalAchieved, view: CaseView) -> str:
    compiled = compile_result_schema(view.result_schema)
    faults = compiled.validate(decision.result) if isinstance(compiled, ResultSchema) else []
    if faults:
        return (
            f"{view.counterparty_name} seems to have answered, but the result does not fit what was asked for: "
            f"{'; '.join(faults[:3])}. What are the right values?"
        )
    unproven = check_evidence(decision.result, decision.evidence, view, compiled.fields)
    if unproven:
        return (
            f"{view.counterparty_name} seems to have answered, but this could not be found in what was written: "
            f"{'; '.join(unproven[:3])}. Read the conversation: what are the right values?"
        )
    return ""


def _ask_for_words(hits: Sequence[GuardHit]) -> InputNeeded:
    listed = "; ".join(hit.detail for hit in hits[:3])
    question = (
        f"The message that the agent wrote was held back, because of this in it: {listed}. "
        "What should be written instead? You can give the words."
    )
    return InputNeeded(kind="INPUT_NEEDED", question=question, rationale=LIMITED)


def _note(audit: RunAudit, hits: Sequence[GuardHit]) -> RunAudit:
    found = [f"{hit.rule}: {hit.detail}" for hit in hits]
    return replace(audit, guard_hits=tuple(dict.fromkeys([*audit.guard_hits, *found])))
