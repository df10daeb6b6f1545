"""One small question to the configured model, which costs a fraction of a cent; must not serve the web process."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from cases.agent.protocol import AgentError, CaseView, Persona
from cases.mind import build_agent
from offload.doctor.findings import Finding, fail, ok, warn


def ask_model(now: datetime) -> list[Finding]:
    """Returns whether the agent drafts a mail; bounded by OFFLOAD_MODEL_DEADLINE_SECONDS."""
    view = CaseView(
        objective="Ask for the delivery date of order 1.",
        counterparty_name="Maya",
        persona=Persona(name="Ana"),
        now=now,
        reason="outreach",
    )
    try:
        outcome = build_agent().draft_outreach(view)
    except AgentError as error:
        return [fail("model", str(error), "mend the setting it names, and restart the workers")]
    audit = outcome.audit
    if settings.OFFLOAD_MODEL == "offline":
        return [warn("model", "offline: rules decide, without a model", "set OFFLOAD_MODEL (docs/agent.md)")]
    cost = "at an unknown price" if audit.cost_usd is None else f"for ${audit.cost_usd:.4f}"
    return [ok("model", f"{audit.model_answered} answered in {audit.latency_ms / 1000:.1f} s {cost}")]
