"""Celery's entry points of a case; arguments are ids only, and every wait is a column, never a countdown."""

from __future__ import annotations

import os
import socket
import threading
from functools import cache
from uuid import UUID

from celery import shared_task
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from agentmail.account import AgentMailAccount
from agentmail.client import AgentMailClient
from agentmail.connecting import look_at_account, note_account
from agentmail.services import match_all_waiting
from cases import ledger
from cases.follow_ups import record_due_events
from cases.handlers.tools import Tools
from cases.handlers.work import work_on_case
from cases.mind import build_agent
from cases.nudge import LOOK_AT_CASE, nudge_all
from cases.reconcile import reconcile_mail
from cases.retention import forget_old_requests
from cases.services import give_up_old_events, record_delivery_failure, record_reply

SWEEP_BATCH = 500


@cache
def get_tools() -> Tools:
    """Returns this process's agent and mail client; built once, at the first event."""
    return Tools(agent=build_agent(), mail=AgentMailClient.from_settings(), read_clock=timezone.now)


def name_worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"


@shared_task(name=LOOK_AT_CASE)
def look_at_case(case_id: str) -> None:
    """Handles what is due in one case; a duplicate, late or needless message finds nothing and ends."""
    with bound_contextvars(case_id=case_id):
        work_on_case(UUID(case_id), name_worker(), get_tools())


@shared_task(name="cases.sweep_events")
def sweep_events() -> None:
    """Nudges every case with a due event or a lease that ran out, until none is left."""
    patience_s = ledger.measure_patience()
    soonest_s = ledger.measure_turn(patience_s)
    while True:
        case_ids = ledger.sweep(SWEEP_BATCH, patience_s, soonest_s)
        nudge_all(case_ids)
        if len(case_ids) < SWEEP_BATCH:
            return


@shared_task(name="cases.sweep_follow_ups")
def sweep_follow_ups() -> None:
    """Records the follow-ups and rechecks that are due; a second sweep at once records nothing twice.

    Batch by batch: each is committed before its cases are nudged, and none waits in memory for the others.
    """
    nudge_all(record_due_events(timezone.now()))


@shared_task(name="cases.match_waiting_mail")
def match_waiting_mail() -> None:
    """Tries again to match mail that outran our own commits."""
    match_all_waiting(timezone.now(), on_reply=record_reply, on_delivery_failure=record_delivery_failure)


@shared_task(name="cases.reconcile_mail")
def reconcile() -> None:
    """Fetches received mail whose webhook was lost; bounded, and the next one goes on from there."""
    reconcile_mail(get_tools().mail, timezone.now())


@shared_task(name="cases.check_mail_account")
def check_mail_account() -> None:
    """Notes whether AgentMail takes our key and reports our mail, for whoever watches; changes nothing there."""
    note_account(look_at_account(AgentMailAccount.from_settings()), timezone.now())


@shared_task(name="cases.give_up_old_events")
def give_up() -> None:
    """Ends the cases whose dead event no human has looked after for three days."""
    give_up_old_events(timezone.now())


@shared_task(name="cases.forget_old_requests")
def forget_requests() -> None:
    """Deletes what the limits and the kept answers of the API need no more; a second run finds nothing."""
    forget_old_requests(timezone.now())
