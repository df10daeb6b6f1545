"""Stores what the agent thought, together with the mail that follows from it; must not decide or send anything."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from agentmail.rows import Rows
from agentmail.services import freeze_mail
from cases.agent.protocol import RunAudit
from cases.handlers.tools import Tools
from cases.ledger import Claim
from cases.models import AgentRun, Case
from cases.workflow import MailKind

_RUNS = Rows(AgentRun)

# What stands as the author where code decides before or instead of the agent.
RULES = RunAudit(
    implementation="rules",
    model_asked="",
    model_answered="",
    prompt_version="",
    prompt_hash="",
    tokens_in=0,
    tokens_out=0,
    cost_usd=None,
    latency_ms=0,
    reasks=(),
    guard_hits=(),
    message_ids=(),
)


def store_run(
    claimed: Claim,
    operation: str,
    decision: dict[str, Any],
    rationale: str,
    audit: RunAudit,
    tools: Tools,
    *,
    mail_kind: MailKind | None = None,
    message_ids: list[str] | None = None,
    input_request_ids: list[str] | None = None,
    has_heard_counterparty: bool = False,
) -> AgentRun:
    """Writes the event's run into the caller's fenced transaction and returns it; one event has one run."""
    run = AgentRun(
        case_id=claimed.case_id,
        event_id=claimed.event_id,
        operation=operation,
        decision=decision,
        rationale=rationale,
        mail_kind=mail_kind or "",
        message_ids=message_ids or [],
        input_request_ids=input_request_ids or [],
        has_heard_counterparty=has_heard_counterparty,
        implementation=audit.implementation,
        model_asked=audit.model_asked,
        model_answered=audit.model_answered,
        prompt_version=audit.prompt_version,
        prompt_hash=audit.prompt_hash,
        tokens_in=audit.tokens_in,
        tokens_out=audit.tokens_out,
        cost_usd=audit.cost_usd,
        latency_ms=audit.latency_ms,
        reasks=list(audit.reasks),
        guard_hits=list(audit.guard_hits),
        created_at=tools.read_clock(),
    )
    _RUNS.insert(run)
    return run


def freeze_case_mail(
    claimed: Claim, case: Case, *, subject: str, text: str, reply_to_message_id: str, tools: Tools
) -> None:
    """Freezes the mail of this event in the caller's transaction; recipient and inbox come from the case alone."""
    freeze_mail(
        reference=str(claimed.event_id),
        owner=case.id,
        inbox_id=case.inbox_id or settings.AGENTMAIL_INBOX_ID,
        to_address=case.counterparty_address,
        to_name=case.counterparty_name,
        subject=subject,
        text=text,
        reply_to_message_id=reply_to_message_id,
        now=tools.read_clock(),
    )
