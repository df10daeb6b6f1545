"""The product's worker with an agent that judges in a fixed time: `celery -A bench.scripted_worker worker`.

Everything but the agent is the product's. AGENT_SECONDS in the environment is the time (0). Must not be imported by
anything else.
"""

from __future__ import annotations

import os
import time
from functools import cache
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from agentmail.client import AgentMailClient  # noqa: E402
from cases import tasks  # noqa: E402
from cases.agent.decisions import Evidence, GoalAchieved  # noqa: E402
from cases.agent.protocol import CaseView, Draft, Outcome, RunAudit  # noqa: E402
from cases.handlers.tools import Tools  # noqa: E402
from offload.celery import app  # noqa: E402

SECONDS = float(os.environ.get("AGENT_SECONDS", "0"))
AUDIT = RunAudit("bench", "bench", "bench", "1", "", 0, 0, None, 0, (), (), ())
NAME, TAX_ID = "Northstar Trading LLC", "12-3456789"


class SlowAgent:
    """Asks for the form; takes the first reply for the answer, and its time over it."""

    def draft_outreach(self, view: CaseView) -> Outcome[Any]:
        """Returns the same mail for every case, at once."""
        text = f"Hi {view.counterparty_name},\n\ncould you send us the signed W-9?\n\n{view.persona.name}"
        return Outcome(Draft("Signed W-9", text, "The first message."), AUDIT)

    draft_follow_up = draft_outreach

    def evaluate(self, view: CaseView) -> Outcome[Any]:
        """Returns the goal as achieved, with the reply's own words as the proof."""
        time.sleep(SECONDS)
        reply = view.thread[-1]
        result = {"legalName": NAME, "taxId": TAX_ID}
        evidence = tuple(Evidence(field=k, message_id=reply.message_id, quote=v) for k, v in result.items())
        return Outcome(GoalAchieved(kind="GOAL_ACHIEVED", result=result, evidence=evidence), AUDIT)


@cache
def get_tools() -> Tools:
    return Tools(agent=SlowAgent(), mail=AgentMailClient.from_settings(), read_clock=timezone.now)


tasks.get_tools = get_tools

__all__ = ["app"]
