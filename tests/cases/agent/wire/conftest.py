"""The real client against a provider on a socket, in both formats; must not patch anything of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import pytest

from cases.agent.decisions import Decision
from cases.agent.prompted import PromptedAgent
from cases.agent.protocol import AgentError, CaseView, Outcome
from cases.agent.provider.client import CallLimits, ProviderClient
from cases.agent.provider.models import ModelChoice
from tests.cases.agent.builders import replied
from tests.cases.agent.wire.stub import Answer, Dialect, ModelStub, choose

MODELS: dict[Dialect, str] = {"openai": "openai-chat:gpt-4.1", "anthropic": "anthropic:claude-sonnet-4-6"}
SCHEMA = {"type": "object", "properties": {"legalName": {"type": "string"}}, "required": ["legalName"]}
NAME = {
    "kind": "GOAL_ACHIEVED",
    "result": {"legalName": "Northstar LLC"},
    "evidence": [{"field": "legalName", "message_id": "m2", "quote": "We are Northstar LLC."}],
}
# What the reply does not say.
WRONG_NAME = {**NAME, "result": {"legalName": "Southstar LLC"}}


@dataclass
class Wire:
    """One model at the end of a wire, and the agent that asks it."""

    dialect: Dialect
    stub: ModelStub

    def choose(self, arguments: dict[str, Any], form: str = "answer_goal_achieved") -> Answer:
        return choose(self.dialect, form, arguments)

    def choice(self, stub: ModelStub | None = None) -> ModelChoice:
        at = stub or self.stub
        return ModelChoice(MODELS[self.dialect], "sk-test", at.get_base_url(self.dialect))

    def client(self, *, deadline_s: float = 10, fallback: ModelStub | None = None, **limits: Any) -> ProviderClient:
        given = CallLimits(**{"deadline_s": deadline_s, "max_answer_tokens": 1000, **limits})
        return ProviderClient(self.choice(), given, self.choice(fallback) if fallback else None)

    def evaluate(self, view: CaseView | None = None, **options: Any) -> Outcome[Decision]:
        return PromptedAgent(self.client(**options)).evaluate(view or make_view())

    def fail(self, **options: Any) -> AgentError:
        """Returns the error that an evaluation ends in."""
        with pytest.raises(AgentError) as caught:
            self.evaluate(**options)
        return caught.value


def make_view(**changes: Any) -> CaseView:
    return replied("We are Northstar LLC.", result_schema=SCHEMA, **changes)


@pytest.fixture
def stub() -> Iterator[ModelStub]:
    server = ModelStub()
    yield server
    server.close()


@pytest.fixture
def second_stub() -> Iterator[ModelStub]:
    server = ModelStub()
    yield server
    server.close()


@pytest.fixture(params=["openai", "anthropic"])
def wire(request: pytest.FixtureRequest, stub: ModelStub) -> Wire:
    return Wire(cast(Dialect, request.param), stub)


def dollars(dialect: Dialect, calls: int) -> Decimal:
    """What so many answers of the stub cost by the library's table of prices."""
    # Per million tokens: 2 and 8 US dollars for gpt-4.1, 3 and 15 for claude-sonnet-4-6.
    return calls * {"openai": Decimal("0.0024"), "anthropic": Decimal("0.00375")}[dialect]
