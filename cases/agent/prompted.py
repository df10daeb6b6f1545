"""An agent that asks a language model through a replaceable client; must not trust an answer that code can check."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from cases.agent.answers import JUDGING, WRITING, Answer, DraftedMail
from cases.agent.decisions import (
    Decision,
    Evidence,
    FailedRejected,
    GoalAchieved,
    InputNeeded,
    RequiresReply,
    Snooze,
    check_snooze,
)
from cases.agent.evidence import check_evidence, check_refusal
from cases.agent.guard import check_outgoing
from cases.agent.prompting import Operation, Prompt, compose_prompt
from cases.agent.protocol import AgentError, AgentUnusable, CaseView, Draft, Outcome, RunAudit
from cases.agent.protocol import Usage as Usage
from cases.agent.schema import ResultSchema, compile_result_schema

GUARD = "guard"


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One question to a model: the prompt, the forms of which one is the answer, and what code finds wrong with one.

    `check` returns sentences that may be shown to the model for another try; none repeats what must not leave.
    """

    prompt: Prompt
    forms: tuple[type[Answer], ...]
    check: Callable[[Answer], list[str]]


@dataclass(frozen=True, slots=True)
class ModelReply:
    """An answer that passed `check`, and what it took."""

    answer: Answer
    usage: Usage


class ModelClient(Protocol):
    """Reaches a model. Raises AgentTemporary, AgentMisconfigured or AgentUnusable, nothing else."""

    @property
    def model(self) -> str:
        """The name of the model that is asked."""
        ...

    def ask(self, call: ModelCall) -> ModelReply:
        """Return the model's answer, having let it try again where `check` or the form found a fault."""
        ...


class PromptedAgent:
    """An Agent made of prompts, a model and code that checks what the model says."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client

    def draft_outreach(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        """Return the first message, or the question without whose answer it cannot be written."""
        return self._write("draft_outreach", view)

    def draft_follow_up(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        """Return the next reminder in the thread, or a question for a human."""
        return self._write("draft_follow_up", view)

    def evaluate(self, view: CaseView) -> Outcome[Decision]:
        """Return what the thread means for the case; its values stand in the messages that its evidence names."""
        answer, audit = self._ask("evaluate", view, JUDGING)
        return Outcome(cast(Decision, answer), audit)

    def _write(self, operation: Operation, view: CaseView) -> Outcome[Draft | InputNeeded]:
        answer, audit = self._ask(operation, view, WRITING)
        value = answer.to_draft() if isinstance(answer, DraftedMail) else cast(InputNeeded, answer)
        return Outcome(value, audit)

    def _ask(self, operation: Operation, view: CaseView, forms: tuple[type[Answer], ...]) -> tuple[Answer, RunAudit]:
        prompt = compose_prompt(operation, view, secrets.token_hex(8))
        started = time.perf_counter()
        faults: list[str] = []

        def check(answer: Answer) -> list[str]:
            found = check_answer(restore_ids(answer, prompt.aliases), view)
            faults.extend(found)
            return found

        def audit(usage: Usage) -> RunAudit:
            return RunAudit(
                implementation="model",
                model_asked=self._client.model,
                model_answered=usage.model,
                prompt_version=prompt.version,
                prompt_hash=prompt.hash,
                tokens_in=usage.tokens_in,
                tokens_out=usage.tokens_out,
                cost_usd=usage.cost_usd,
                latency_ms=round((time.perf_counter() - started) * 1000),
                reasks=tuple(fault for fault in faults if not fault.startswith(GUARD)),
                guard_hits=tuple(dict.fromkeys(fault for fault in faults if fault.startswith(GUARD))),
                message_ids=tuple(message.message_id for message in view.thread),
            )

        try:
            reply = self._client.ask(ModelCall(prompt, forms, check))
        except AgentError as error:
            error.audit = audit(error.usage or Usage(model=""))
            raise
        return restore_ids(reply.answer, prompt.aliases), audit(reply.usage)


class UnusableAnswer(AgentUnusable):
    """The model answered, re-asks included, and nothing of it may be used; `usage` is what that took."""

    def __init__(self, reason: str, usage: Usage) -> None:
        super().__init__(reason)
        self.usage = usage


def restore_ids(answer: Answer, aliases: Mapping[str, str]) -> Answer:
    """Return the answer with the ids of messages in place of the aliases that the prompt showed."""
    if not isinstance(answer, GoalAchieved | FailedRejected):
        return answer
    evidence = tuple(_restore_id(entry, aliases) for entry in answer.evidence)
    return answer.model_copy(update={"evidence": evidence})


def _restore_id(entry: Evidence, aliases: Mapping[str, str]) -> Evidence:
    return entry.model_copy(update={"message_id": aliases.get(entry.message_id.strip(), entry.message_id)})


def check_answer(answer: Answer, view: CaseView) -> list[str]:
    """Return what is wrong with an answer, as sentences that may go back to the model; [] when it may be used."""
    match answer:
        case DraftedMail():
            return _check_mail(answer.body, answer.subject, view)
        case RequiresReply():
            return _check_mail(answer.body, "", view)
        case GoalAchieved():
            compiled = compile_result_schema(view.result_schema)
            faults = compiled.validate(answer.result) if isinstance(compiled, ResultSchema) else []
            if faults:
                return [f"result schema: {fault}" for fault in faults]
            return [f"evidence: {f}" for f in check_evidence(answer.result, answer.evidence, view, compiled.fields)]
        case FailedRejected():
            return [f"evidence: {fault}" for fault in check_refusal(answer.evidence, view)]
        case Snooze():
            fault = check_snooze(answer.until, view.now)
            return [f"until: {fault}"] if fault else []
    return []


def _check_mail(body: str, subject: str, view: CaseView) -> list[str]:
    return [f"{GUARD} {hit.rule}: {hit.detail}" for hit in check_outgoing(body, subject, view)]


def describe_faults(faults: Sequence[str]) -> str:
    """Return the faults as what a model is told for its next try."""
    listed = "\n".join(f"- {fault}" for fault in faults[:10])
    return f"This answer cannot be used:\n{listed}\nAnswer again. If it cannot be mended, answer INPUT_NEEDED."
