"""Takes a case's events one after the other and keeps their leases; must not know what an event means."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from structlog.contextvars import bound_contextvars

from cases import ledger
from cases.agent.protocol import AgentMisconfigured, AgentOverBudget, AgentTemporary
from cases.handlers.steps import perform
from cases.handlers.tools import Tools
from cases.ledger import Claim, LeaseLost
from cases.models import CaseEvent
from cases.nudge import looking_at

logger = logging.getLogger(__name__)

HELD = "The agent is not asked, because a cap is reached."


def work_on_case(case_id: UUID, worker: str, tools: Tools) -> int:
    """Handles every event of the case that is due and returns how many it took; 0 when another worker is at it."""
    taken = 0
    with looking_at(case_id):
        while (claimed := ledger.claim(case_id, worker)) is not None:
            taken += 1
            handle_claim(claimed, tools)
    return taken


def handle_claim(claimed: Claim, tools: Tools) -> None:
    """Performs one claimed event and settles the claim, whatever happens but a lost database.

    Only unexpected errors count towards the limit. A lease that was lost belongs to another worker: nothing
    is stored for it here. Without a database the lease runs out by itself and the event is taken up again.
    """
    try:
        with bound_contextvars(event_id=claimed.event_id), keep_lease(claimed):
            started = time.monotonic()
            _perform_or_settle(claimed, tools)
            logger.info("%s was handled in %.0f ms", claimed.kind, (time.monotonic() - started) * 1000)
    except LeaseLost as error:
        logger.warning("%s; another worker goes on with it", error)


def _perform_or_settle(claimed: Claim, tools: Tools) -> None:
    try:
        perform(claimed, tools)
    except LeaseLost:
        raise
    except AgentTemporary as error:
        ledger.postpone(claimed, f"The agent cannot answer for now: {error.reason}", error.retry_after_s)
    except AgentOverBudget as error:
        _hold(claimed, error.reason)
    except AgentMisconfigured as error:
        logger.error("event %s waits for a change of configuration: %s", claimed.event_id, error.reason)
        ledger.postpone(claimed, f"The agent's configuration needs mending: {error.reason}", None)
    except (OperationalError, InterfaceError) as error:
        # The database restarting is no fault of the event; when it is back the event waits its turn.
        connection.close()
        logger.warning("event %s met a database that went away", claimed.event_id)
        ledger.postpone(claimed, f"The database went away: {type(error).__name__}", None)
    except Exception as error:
        logger.exception("event %s of case %s failed", claimed.event_id, claimed.case_id)
        if ledger.fail(claimed, f"{type(error).__name__}: {error}"):
            logger.error("event %s of case %s is dead and needs a human", claimed.event_id, claimed.case_id)


def _hold(claimed: Claim, reason: str) -> None:
    """Lets an event wait at a cap. Once is enough to tell: it is tried again every ten minutes until there is room."""
    has_told = CaseEvent.objects.filter(pk=claimed.event_id, last_error__startswith=HELD).exists()
    logger.log(
        logging.INFO if has_told else logging.ERROR,
        "event %s of case %s is held: %s",
        claimed.event_id,
        claimed.case_id,
        reason,
    )
    ledger.postpone(claimed, f"{HELD} {reason}", None)


@contextmanager
def keep_lease(claimed: Claim) -> Iterator[None]:
    """Extends the lease in the background while the body runs, until the event's total deadline.

    Past the deadline the lease is left to run out, so that a hung handler loses its case to another worker.
    """
    is_done = threading.Event()
    deadline = time.monotonic() + settings.OFFLOAD_EVENT_DEADLINE_SECONDS
    thread = threading.Thread(
        # In this thread's context, so that its lines tell which case and event they are about.
        target=copy_context().run,
        args=(_beat, claimed, is_done, deadline),
        name=f"lease-{claimed.event_id}",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()


def _beat(claimed: Claim, is_done: threading.Event, deadline: float) -> None:
    while not is_done.wait(settings.OFFLOAD_HEARTBEAT_SECONDS):
        if time.monotonic() >= deadline:
            logger.error("event %s passed its deadline; its lease is left to run out", claimed.event_id)
            return
        try:
            if not ledger.heartbeat(claimed):
                return
        except (OperationalError, InterfaceError):
            logger.warning("the lease of event %s could not be extended this time", claimed.event_id)
        finally:
            connection.close()
