"""Makes one claimed delivery: claim, POST, store the outcome; must not hold a transaction while it waits."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import connection

from webhooks.endpoints import release_held
from webhooks.outcomes import AttemptOutcome, judge
from webhooks.services import (
    BATCH_SIZE,
    Claimed,
    claim_delivery,
    close_crashed,
    finish_attempt,
    measure_patience,
    sweep_due,
)
from webhooks.signing import sign
from webhooks.transport import DEADLINE_S, post

logger = logging.getLogger(__name__)

# Well above the POST's deadline, so that only a worker that died or hangs loses its attempt.
LEASE_S = DEADLINE_S + 45


def deliver(delivery_id: UUID, now: datetime) -> None:
    """Makes a delivery's attempt if it is still to be made; a second call, or a duplicate message, does nothing."""
    claim = claim_delivery(delivery_id, now, LEASE_S)
    if claim is None:
        return
    # A connection kept over the wait would be missing from the pool for every other thread.
    connection.close()
    started = time.monotonic()
    outcome = post(claim.url, claim.body, _make_headers(claim), allow_private=settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE)
    answered_at = now + timedelta(seconds=time.monotonic() - started)
    verdict = judge(outcome)
    # Neither body nor path: both may carry what only the receiver should see.
    told = (claim.event_id, claim.event_type, urlsplit(claim.url).hostname, claim.number)
    if not finish_attempt(claim, outcome, answered_at):
        logger.warning("webhook %s (%s) to %s: attempt %d was closed before its answer came", *told)
    elif verdict.outcome == AttemptOutcome.DELIVERED:
        logger.info("webhook %s (%s) to %s: attempt %d delivered", *told)
    else:
        logger.warning("webhook %s (%s) to %s: attempt %d %s: %s", *told, verdict.outcome, verdict.error)


def _make_headers(claim: Claimed) -> dict[str, str]:
    if not claim.secrets:
        return {}
    return sign(claim.secrets, event_id=claim.event_id, moment=claim.started_at, body=claim.body)


def sweep(now: datetime) -> None:
    """Closes the attempts of crashed workers, lets go what a resumed endpoint held, and nudges pending deliveries that
    are due: up to `SWEPT_AT_ONCE`, the longest due first, so a sweep's cost is bounded."""
    while crashed := close_crashed(now):
        for event_id in crashed:
            logger.warning(
                "webhook %s: its worker stopped before it recorded the answer, which stays unknown", event_id
            )
    while release_held(now, BATCH_SIZE) == BATCH_SIZE:
        pass
    sweep_due(now, patience_s=measure_patience(now))
