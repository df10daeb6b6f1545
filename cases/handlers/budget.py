"""Asks the agent within a case's means, and keeps account of every call; must not judge what the agent says.

A cap holds a case, it does not fail one: the event waits without counting, and goes on by itself once there is room.
The caps are looked at before a call, so one is exceeded by at most the calls that are under way at that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from cases.agent.decisions import Decision, InputNeeded
from cases.agent.protocol import (
    Agent,
    AgentError,
    AgentMisconfigured,
    AgentOverBudget,
    AgentTemporary,
    CaseView,
    Draft,
    Outcome,
    RunAudit,
)
from cases.handlers.tools import Tools, release_connection
from cases.models import Case

DAY = timedelta(hours=24)
OUTREACH, FOLLOW_UP, EVALUATE = "outreach", "follow_up", "evaluate"


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls took so far; a call of unknown price counts with its tokens alone."""

    case_tokens: int
    case_cost_usd: Decimal
    client_day_tokens: int
    client_day_cost_usd: Decimal


class MeteredAgent:
    """The agent at one event of one case: refuses a call beyond a cap, and writes down what each call took."""

    def __init__(self, agent: Agent, case: Case, tools: Tools) -> None:
        self._agent = agent
        self._case = case
        self._tools = tools
        self._last: tuple[str, str, RunAudit] | None = None

    def draft_outreach(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        """Returns the agent's first message or question; raises AgentOverBudget before the call, or what it raises."""
        return self._ask(OUTREACH, self._agent.draft_outreach, view)

    def draft_follow_up(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        """Returns the agent's reminder or question; raises AgentOverBudget before the call, else what it raises."""
        return self._ask(FOLLOW_UP, self._agent.draft_follow_up, view)

    def evaluate(self, view: CaseView) -> Outcome[Decision]:
        """Returns the agent's decision; raises AgentOverBudget before the call, else what it raises."""
        return self._ask(EVALUATE, self._agent.evaluate, view)

    def count_limits(self, audit: RunAudit) -> None:
        """Counts what code found in the last answer after the agent itself had let it pass; `audit` has all of it."""
        if self._last is not None:
            operation, outcome, before = self._last
            found = len(audit.guard_hits) - len(before.guard_hits)
            if found > 0:
                _add_to_total(operation, outcome, before, calls=0, guard_hits=found)

    def _ask(self, operation: str, ask: Callable[[CaseView], Outcome[Any]], view: CaseView) -> Outcome[Any]:
        check_caps(self._case, self._tools.read_clock())
        release_connection()
        try:
            outcome = ask(view)
        except AgentError as error:
            if error.audit is not None:
                self._keep_account(operation, name_failure(error), error.audit)
            raise
        kind = "DRAFT" if isinstance(outcome.value, Draft) else str(outcome.value.kind)
        self._keep_account(operation, kind, outcome.audit)
        return outcome

    def _keep_account(self, operation: str, outcome: str, audit: RunAudit) -> None:
        self._last = (operation, outcome, audit)
        keep_account(self._case, operation, outcome, audit, self._tools.read_clock())


def check_caps(case: Case, now: datetime) -> None:
    """Raises AgentOverBudget, with the setting and the remedy, when a cap of the case or its client is reached.

    `now` is the real clock. One query; none for the agent that works by rules, which costs nothing.
    """
    caps = (
        settings.OFFLOAD_MODEL_MAX_CASE_TOKENS,
        settings.OFFLOAD_MODEL_MAX_CASE_COST_USD,
        settings.OFFLOAD_MODEL_MAX_CLIENT_DAY_TOKENS,
        settings.OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD,
    )
    if settings.OFFLOAD_MODEL == "offline" or not any(caps):
        return
    spent = sum_spent(case.id, case.client_id, now)
    raise_case = "Raise it, or cancel the case."
    raise_day = "Raise it, or wait: the case goes on by itself as the hours pass."
    for setting, used, what, remedy in (
        ("OFFLOAD_MODEL_MAX_CASE_TOKENS", spent.case_tokens, "This case has used", raise_case),
        ("OFFLOAD_MODEL_MAX_CASE_COST_USD", spent.case_cost_usd, "This case has used", raise_case),
        ("OFFLOAD_MODEL_MAX_CLIENT_DAY_TOKENS", spent.client_day_tokens, "The client has used", raise_day),
        ("OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD", spent.client_day_cost_usd, "The client has used", raise_day),
    ):
        cap = getattr(settings, setting)
        if 0 < cap <= used:
            period = " in 24 hours" if "DAY" in setting else ""
            amount = f"{used:,} tokens" if isinstance(used, int) else f"{used:.2f} US dollars"
            raise AgentOverBudget(f"{what} {amount}{period}, and {setting} is {cap:,}. {remedy}")


def sum_spent(case_id: UUID, client_id: UUID, now: datetime) -> Spent:
    """Returns what the case has taken in all, and its client in the 24 hours up to `now`; one query, by index."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT of_case.tokens, of_case.cost, of_client.tokens, of_client.cost
              FROM (SELECT coalesce(sum(tokens_in + tokens_out), 0) AS tokens, coalesce(sum(cost_usd), 0) AS cost
                      FROM cases_agentcall WHERE case_id = %s) of_case,
                   (SELECT coalesce(sum(tokens_in + tokens_out), 0) AS tokens, coalesce(sum(cost_usd), 0) AS cost
                      FROM cases_agentcall WHERE client_id = %s AND created_at > %s) of_client
            """,
            [case_id, client_id, now - DAY],
        )
        case_tokens, case_cost, client_tokens, client_cost = cursor.fetchone()
    return Spent(int(case_tokens), case_cost, int(client_tokens), client_cost)


def name_failure(error: AgentError) -> str:
    """Returns how a call that gave no answer failed, as it is counted."""
    match error:
        case AgentTemporary():
            return "TEMPORARY"
        case AgentOverBudget():
            return "OVER_BUDGET"
        case AgentMisconfigured():
            return "MISCONFIGURED"
    return "UNUSABLE"


def keep_account(case: Case, operation: str, outcome: str, audit: RunAudit, now: datetime) -> None:
    """Writes a call down and adds it to the totals, in one statement of its own: it was paid for whatever follows."""
    values = _list_amounts(operation, outcome, audit, calls=1, guard_hits=len(audit.guard_hits))
    call = {"client": case.client_id, "case": case.id, "known_cost_usd": audit.cost_usd, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(f"WITH call AS ({_WRITE_CALL}) {_ADD_TO_TOTAL}", {**values, **call})


def _add_to_total(operation: str, outcome: str, audit: RunAudit, *, calls: int, guard_hits: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ADD_TO_TOTAL, _list_amounts(operation, outcome, audit, calls=calls, guard_hits=guard_hits))


_WRITE_CALL = """
    INSERT INTO cases_agentcall (client_id, case_id, operation, implementation, model, outcome, tokens_in, tokens_out,
                cost_usd, created_at)
    VALUES (%(client)s, %(case)s, %(operation)s, %(implementation)s, %(model)s, %(outcome)s, %(tokens_in)s,
            %(tokens_out)s, %(known_cost_usd)s, %(now)s)
"""
_ADD_TO_TOTAL = """
    INSERT INTO cases_agenttotal AS total (implementation, model, operation, outcome, calls, tokens_in,
                tokens_out, cost_usd, reasks, guard_hits, latency_ms)
    VALUES (%(implementation)s, %(model)s, %(operation)s, %(outcome)s, %(calls)s, %(tokens_in)s,
            %(tokens_out)s, %(cost_usd)s, %(reasks)s, %(guard_hits)s, %(latency_ms)s)
    ON CONFLICT (implementation, model, operation, outcome) DO UPDATE
       SET calls = total.calls + excluded.calls, tokens_in = total.tokens_in + excluded.tokens_in,
           tokens_out = total.tokens_out + excluded.tokens_out, cost_usd = total.cost_usd + excluded.cost_usd,
           reasks = total.reasks + excluded.reasks, guard_hits = total.guard_hits + excluded.guard_hits,
           latency_ms = total.latency_ms + excluded.latency_ms
"""


def _list_amounts(operation: str, outcome: str, audit: RunAudit, *, calls: int, guard_hits: int) -> dict[str, Any]:
    return {
        "implementation": audit.implementation,
        "model": audit.model_asked,
        "operation": operation,
        "outcome": outcome,
        "calls": calls,
        "tokens_in": audit.tokens_in * calls,
        "tokens_out": audit.tokens_out * calls,
        "cost_usd": (audit.cost_usd or Decimal(0)) * calls,
        "reasks": len(audit.reasks) * calls,
        "guard_hits": guard_hits,
        "latency_ms": audit.latency_ms * calls,
    }
