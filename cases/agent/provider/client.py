"""Asks a language model over HTTP by way of pydantic-ai; must not retry what the ledger retries.

One try and at most two re-asks make a call. A deadline bounds them all together: the SDKs' own timeouts are per read,
and a server that sends a byte now and then would hold a worker for ever.
"""

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from typing import cast

from pydantic_ai import Agent, ModelRetry, RunContext, ToolOutput
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RunUsage, UsageLimits

from cases.agent.answers import Answer
from cases.agent.prompted import ModelCall, ModelReply, describe_faults
from cases.agent.protocol import AgentError, AgentMisconfigured, AgentOverBudget, AgentTemporary, Usage
from cases.agent.provider.faults import CheckFailed, name_fault
from cases.agent.provider.loop import run_on_loop
from cases.agent.provider.models import ModelChoice, build_model, takes_temperature

logger = logging.getLogger(__name__)

REASKS = 2
# Letters of a prompt per token, at the least; most languages have more, and the estimate must not be too low.
CHARS_PER_TOKEN = 2.5
# Of the deadline, where a fallback waits: a provider that is down often says nothing at all.
FIRST_SHARE = 0.6
# Numbers and names come from a server that may be anybody's; twice as much, a fallback's too, fits in the columns.
MOST_TOKENS = 1_000_000_000
MOST_COST_USD = Decimal(499_999)
MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What one call may take: seconds and tokens in all its tries, tokens of one answer, US dollars; 0 is no cap."""

    deadline_s: float
    max_answer_tokens: int
    max_tokens: int = 0
    max_cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class ProviderClient:
    """A ModelClient for a provider's HTTP API; safe to share between the threads of a process, and after a fork.

    Where `fallback` is given it is asked in the same call when the first model cannot answer: a limit, an outage, a
    wrong key, silence for its share of the deadline. An answer that cannot be used is not asked for again elsewhere.
    """

    choice: ModelChoice
    limits: CallLimits
    fallback: ModelChoice | None = None
    # A model holds the connections of the process that used it first, so each process has its own.
    _models: dict[tuple[int, ModelChoice], Model] = field(default_factory=dict, repr=False, compare=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def model(self) -> str:
        return self.choice.name

    def ask(self, call: ModelCall) -> ModelReply:
        """Return the model's answer; raises AgentTemporary, AgentMisconfigured (AgentOverBudget too) or UnusableAnswer.

        What an error cost stands in its `usage`. A prompt that alone exceeds the cap of a call is never sent, so that
        waiting for a higher cap costs nothing.
        """
        size = (len(call.prompt.instructions) + len(call.prompt.text)) / CHARS_PER_TOKEN
        if 0 < self.limits.max_tokens < size + self.limits.max_answer_tokens:
            raise AgentOverBudget(
                f"The conversation needs about {size + self.limits.max_answer_tokens:,.0f} tokens, and "
                f"OFFLOAD_MODEL_MAX_CALL_TOKENS is {self.limits.max_tokens:,}. Raise it, or cancel the case."
            )
        if self.fallback is None:
            return self._ask(call, self.choice, self.limits.deadline_s)
        ends_at = time.monotonic() + self.limits.deadline_s
        try:
            return self._ask(call, self.choice, self.limits.deadline_s * FIRST_SHARE)
        except (AgentTemporary, AgentMisconfigured) as error:
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                raise
            logger.warning("%s The fallback %s is asked instead.", error.reason, self.fallback.name)
            return self._ask_fallback(call, self.fallback, left_s, error.usage)

    def _ask_fallback(self, call: ModelCall, choice: ModelChoice, left_s: float, spent: Usage | None) -> ModelReply:
        """Return the fallback's answer with what both models took; an error of it carries both too."""
        try:
            reply = self._ask(call, choice, left_s)
        except AgentError as error:
            error.usage = _add(spent, error.usage)
            raise
        return replace(reply, usage=_add(spent, reply.usage) or reply.usage)

    def _get_model(self, choice: ModelChoice) -> Model:
        with self._guard:
            key = (os.getpid(), choice)
            if key not in self._models:
                self._models[key] = build_model(choice)
            return self._models[key]

    def _ask(self, call: ModelCall, choice: ModelChoice, deadline_s: float) -> ModelReply:
        model = self._get_model(choice)
        usage = RunUsage()
        settings = ModelSettings(
            max_tokens=self.limits.max_answer_tokens,
            parallel_tool_calls=False,
            # The ledger waits and tries again; a sleep in here would hold a worker's thread.
            max_retries=0,
            request_timeout=deadline_s,
        )
        if takes_temperature(model):
            settings["temperature"] = 0.0
        limits = UsageLimits(
            request_limit=1 + REASKS,
            total_tokens_limit=self.limits.max_tokens or None,
            cost_limit=self.limits.max_cost_usd or None,
        )
        run = _get_agent(call.forms).run(
            call.prompt.text,
            deps=call,
            instructions=call.prompt.instructions,
            model=model,
            model_settings=settings,
            usage=usage,
            usage_limits=limits,
            timeout=deadline_s,
        )
        try:
            result = run_on_loop(run, deadline_s=deadline_s)
        except Exception as error:
            fault = name_fault(error, choice.name, has_answered=usage.requests > 0)
            fault.usage = _sum_up(usage, choice.name)
            raise fault from None
        answered_by = result.response.model_name or choice.name
        return ModelReply(result.output, _sum_up(usage, answered_by))


@cache
def _get_agent(forms: tuple[type[Answer], ...]) -> Agent[ModelCall, Answer]:
    """Return the agent that answers in one of these forms; made once, since that costs more than a call does."""
    outputs: Sequence[ToolOutput[Answer]] = [ToolOutput(form, name=f"answer_{_snake(form.__name__)}") for form in forms]
    made = Agent(output_type=list(outputs), deps_type=ModelCall, retries=REASKS)
    # The library's types cannot read a list of outputs that is made at run time.
    agent = cast(Agent[ModelCall, Answer], made)

    @agent.output_validator
    def refuse_faults(context: RunContext[ModelCall], answer: Answer) -> Answer:
        try:
            faults = context.deps.check(answer)
        except Exception as error:
            raise CheckFailed from error
        if faults:
            raise ModelRetry(describe_faults(faults))
        return answer

    return agent


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _sum_up(usage: RunUsage, model: str) -> Usage:
    cost = min(usage.cost, MOST_COST_USD) if isinstance(usage.cost, Decimal) else None
    tokens_in, tokens_out = (min(count, MOST_TOKENS) for count in (usage.input_tokens, usage.output_tokens))
    return Usage(model=_clean_name(model), tokens_in=tokens_in, tokens_out=tokens_out, cost_usd=cost)


def _clean_name(model: str) -> str:
    """Return the name that a server gave its model as the database can hold it."""
    return "".join(char if char.isprintable() else "\ufffd" for char in model[:MAX_NAME_CHARS])


def _add(first: Usage | None, second: Usage | None) -> Usage | None:
    """Return what both took together, under the name of the second."""
    if first is None or second is None:
        return first or second
    known = [cost for cost in (first.cost_usd, second.cost_usd) if cost is not None]
    return Usage(
        model=second.model,
        tokens_in=first.tokens_in + second.tokens_in,
        tokens_out=first.tokens_out + second.tokens_out,
        cost_usd=sum(known, Decimal(0)) if known else None,
    )
