"""Finds the replies whose webhook was lost, for all inboxes or one case; must not act on a reply itself.

What is found goes the way of a webhook: stored, matched, and recorded as REPLY_RECEIVED, once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentmail.catching_up import Findings, catch_up_inbox, get_start, keep_progress, list_inboxes
from agentmail.client import AgentMailClient
from agentmail.reading import read_thread
from agentmail.services import StoredOutcome, store_live_mail
from cases.services import record_reply

logger = logging.getLogger(__name__)

# Below the queue's visibility timeout, or the queue would hand the same pass to a second worker.
PASS_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class CaseFindings:
    """What one look at a case's thread came to. Not `is_whole`: the provider did not give all of it."""

    missed: int
    stored: int
    is_whole: bool


def reconcile_mail(client: AgentMailClient, now: datetime, *, seconds: float = PASS_SECONDS) -> list[Findings]:
    """Catches up with every inbox from where the last pass left it, and returns what each look found.

    A pass that ends early goes on next time; two at once store nothing twice. Not inside a transaction.
    """
    inboxes = list_inboxes()
    found = []
    for inbox_id in inboxes:
        findings = catch_up_inbox(
            inbox_id,
            get_start(inbox_id, now),
            client=client,
            on_reply=record_reply,
            now=now,
            seconds=seconds / len(inboxes),
        )
        keep_progress(findings, now)
        if findings.stored:
            logger.warning(
                "%d mails of %s had not come by webhook and were fetched; if this repeats, look whether AgentMail's "
                "webhook is enabled",
                findings.stored,
                inbox_id,
            )
        if findings.reason:
            logger.warning("the mail of %s could not be looked through: %s", inbox_id, findings.reason)
        found.append(findings)
    return found


def reconcile_since(
    client: AgentMailClient, since: datetime, now: datetime, *, seconds: float, is_dry_run: bool
) -> list[Findings]:
    """Catches up with every inbox from `since` on, or only counts; the regular pass's place is not moved."""
    return [
        catch_up_inbox(
            inbox_id,
            since,
            client=client,
            on_reply=record_reply,
            now=now,
            seconds=seconds,
            is_dry_run=is_dry_run,
        )
        for inbox_id in list_inboxes()
    ]


def reconcile_case(client: AgentMailClient, case_id: UUID, now: datetime, *, is_dry_run: bool) -> CaseFindings:
    """Reads the case's whole thread at the provider and records what is missing here; a second call stores nothing."""
    thread = read_thread(case_id, client=client)
    stored = 0
    for mail in () if is_dry_run else thread.unstored:
        outcome = store_live_mail(mail, now=now, on_reply=record_reply).outcome
        stored += outcome is not StoredOutcome.DUPLICATE
    return CaseFindings(len(thread.unstored), stored, thread.is_live or not thread.has_thread)
