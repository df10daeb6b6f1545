"""Asks a language model over HTTP by way of pydantic-ai; must not retry what the ledger retries.

One try and at most two re-asks make a call. A deadline bounds them all together: the SDKs' own timeouts are per read,
and a server that sends a byte now and then would hold a worker for ever.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import cast

from pydantic_ai import Agent, ModelRetry, ToolOutput
from pydantic_ai.exceptions import UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RunUsage, UsageLimits

from cases.agent.answers import Answer
from cases.agent.prompted import ModelCall, ModelReply, UnusableAnswer, Usage, describe_faults
from cases.agent.protocol import AgentMisconfigured, AgentOverBudget, AgentTemporary
from cases.agent.provider.faults import name_fault
from cases.agent.provider.loop import run_on_loop
from cases.agent.provider.models import ModelChoice, build_model

logger = logging.getLogger(__name__)

REASKS = 2
# Letters of a prompt per token, at the least; most languages have more, and the estimate must not be too low.
CHARS_PER_TOKEN = 2.5


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What one call may take: seconds and tokens in all its tries, tokens of one answer, US dollars; 0 is no cap."""

    deadline_s: float
    max_answer_tokens: int
    max_tokens: int = 0
    max_cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class ProviderClient:
    """A ModelClient for a provider's HTTP API; safe to share between the threads of a process.

    Where `fallback` is given it is asked in the same call when the first model cannot answer: a limit, an outage, a
    wrong key. An answer that cannot be used is not asked for again elsewhere.
    """

    choice: ModelChoice
    limits: CallLimits
    fallback: ModelChoice | None = None
    clock: Callable[[], float] = field(default=time.monotonic)

    @property
    def model(self) -> str:
        return self.choice.name

    @cached_property
    def _model(self) -> Model:
        return build_model(self.choice)

    @cached_property
    def _fallback_model(self) -> Model | None:
        return build_model(self.fallback) if self.fallback else None

    def ask(self, call: ModelCall) -> ModelReply:
        """Return the model's answer; raises AgentTemporary, AgentMisconfigured (AgentOverBudget too) or UnusableAnswer.

        A prompt that alone exceeds the cap of a call is never sent, so that waiting for a higher cap costs nothing.
        """
        size = (len(call.prompt.instructions) + len(call.prompt.text)) / CHARS_PER_TOKEN
        if 0 < self.limits.max_tokens < size + self.limits.max_answer_tokens:
            raise AgentOverBudget(
                f"The conversation needs about {size:,.0f} tokens, and OFFLOAD_MODEL_MAX_CALL_TOKENS "
                f"is {self.limits.max_tokens:,}. Raise it, or close the case by hand."
            )
        ends_at = self.clock() + self.limits.deadline_s
        try:
            return self._ask(call, self.choice, self._model, self.limits.deadline_s)
        except (AgentTemporary, AgentMisconfigured) as error:
            left_s = ends_at - self.clock()
            if self.fallback is None or self._fallback_model is None or left_s <= 1:
                raise
            logger.warning("%s The fallback %s is asked instead.", error.reason, self.fallback.name)
            return self._ask(call, self.fallback, self._fallback_model, left_s)

    def _ask(self, call: ModelCall, choice: ModelChoice, model: Model, deadline_s: float) -> ModelReply:
        usage = RunUsage()
        agent = _make_agent(call)
        settings = ModelSettings(
            max_tokens=self.limits.max_answer_tokens,
            temperature=0.0,
            parallel_tool_calls=False,
            # The ledger waits and tries again; a sleep in here would hold a worker's thread.
            max_retries=0,
            request_timeout=deadline_s,
        )
        limits = UsageLimits(
            request_limit=1 + REASKS,
            total_tokens_limit=self.limits.max_tokens or None,
            cost_limit=self.limits.max_cost_usd or None,
        )
        run = agent.run(
            call.prompt.text,
            model=model,
            model_settings=settings,
            usage=usage,
            usage_limits=limits,
            timeout=deadline_s,
        )
        try:
            result = run_on_loop(run, deadline_s=deadline_s)
        except (UnexpectedModelBehavior, UsageLimitExceeded) as error:
            reason = f"{choice.name} gave no answer that may be used ({type(error).__name__})."
            raise UnusableAnswer(reason, _sum_up(usage, choice.name)) from None
        except Exception as error:
            raise name_fault(error, choice.name) from None
        answered_by = result.response.model_name or choice.name
        return ModelReply(result.output, _sum_up(usage, answered_by))


def _make_agent(call: ModelCall) -> Agent[object, Answer]:
    outputs: Sequence[ToolOutput[Answer]] = [
        ToolOutput(form, name=f"answer_{_snake(form.__name__)}") for form in call.forms
    ]
    made = Agent(output_type=list(outputs), instructions=call.prompt.instructions, retries=REASKS)
    # The library's types cannot read a list of outputs that is made at run time.
    agent = cast(Agent[object, Answer], made)

    @agent.output_validator
    def refuse_faults(answer: Answer) -> Answer:
        faults = call.check(answer)
        if faults:
            raise ModelRetry(describe_faults(faults))
        return answer

    return agent


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _sum_up(usage: RunUsage, model: str) -> Usage:
    cost = usage.cost if isinstance(usage.cost, Decimal) else None
    return Usage(model=model, tokens_in=usage.input_tokens, tokens_out=usage.output_tokens, cost_usd=cost)
