"""Builds this worker's agent from the settings; must not be imported by the web process."""

from __future__ import annotations

from django.conf import settings

from cases.agent.offline.agent import OfflineAgent
from cases.agent.protocol import Agent

# The model's libraries take seconds and over a hundred MB to load: a worker that works by rules goes without.
if settings.OFFLOAD_MODEL != "offline":
    from cases.agent.provider.build import AgentChoice, build_model_agent
    from cases.agent.provider.client import CallLimits
    from cases.agent.provider.models import ModelChoice


def build_agent() -> Agent:
    """Returns the agent that OFFLOAD_MODEL names; each call builds another."""
    if settings.OFFLOAD_MODEL == "offline":
        return OfflineAgent()
    fallback = ModelChoice(
        settings.OFFLOAD_FALLBACK_MODEL,
        settings.OFFLOAD_FALLBACK_MODEL_API_KEY,
        settings.OFFLOAD_FALLBACK_MODEL_BASE_URL,
    )
    choice = AgentChoice(
        model=ModelChoice(settings.OFFLOAD_MODEL, settings.OFFLOAD_MODEL_API_KEY, settings.OFFLOAD_MODEL_BASE_URL),
        fallback=fallback if fallback.name else None,
        limits=CallLimits(
            deadline_s=settings.OFFLOAD_MODEL_DEADLINE_SECONDS,
            max_answer_tokens=settings.OFFLOAD_MODEL_MAX_ANSWER_TOKENS,
            max_tokens=settings.OFFLOAD_MODEL_MAX_CALL_TOKENS,
            max_cost_usd=settings.OFFLOAD_MODEL_MAX_CALL_COST_USD,
        ),
    )
    return build_model_agent(choice)
