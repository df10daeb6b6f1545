"""Builds the agent that asks a model, from what the settings say; must not read the settings itself."""

from dataclasses import dataclass

from cases.agent.prompted import PromptedAgent
from cases.agent.protocol import Agent
from cases.agent.provider.client import CallLimits, ProviderClient
from cases.agent.provider.models import ModelChoice


@dataclass(frozen=True, slots=True)
class AgentChoice:
    """A model, what one call of it may take, and a model that stands in for it."""

    model: ModelChoice
    limits: CallLimits
    fallback: ModelChoice | None = None


def build_model_agent(choice: AgentChoice) -> Agent:
    """Return the agent; a model that cannot be built says AgentMisconfigured at its first call, not here."""
    return PromptedAgent(ProviderClient(choice.model, choice.limits, choice.fallback))
