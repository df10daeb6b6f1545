"""The threads that carry webhook deliveries out; must not decide what is due or how an attempt counts."""

import logging
import threading

from django.db import close_old_connections, connections
from django.utils import timezone

from agentmail.sandbox.deliveries import (
    WORK_QUEUED,
    claim_delivery,
    record_attempt,
    release_leases,
    seconds_until_due,
)
from agentmail.sandbox.transport import post_delivery

logger = logging.getLogger(__name__)

THREADS = 4
# Another process may queue work too (tests do), and then nobody sets the event here.
POLL_SECONDS = 1.0
PAUSE_AFTER_ERROR_SECONDS = 1.0


def carry_one() -> bool:
    """Makes one attempt of one due delivery; returns False when none was due."""
    claimed = claim_delivery(timezone.now())
    if claimed is None:
        return False
    outcome = post_delivery(claimed, timezone.now())
    record_attempt(claimed, outcome.status, outcome.error, timezone.now())
    return True


class Courier:
    """Daemon threads that deliver until `stop`; an error is logged and never ends one."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"courier-{number}", daemon=True) for number in range(THREADS)
        ]

    def start(self) -> None:
        """Starts the threads; attempts that a dead process had claimed are due again at once."""
        release_leases()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Tells the threads to end after what they are at; does not wait for them."""
        self._stopping.set()
        WORK_QUEUED.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                close_old_connections()
                # Cleared before the claim: whoever clears a signal also looks for the work behind it.
                WORK_QUEUED.clear()
                if not carry_one():
                    due = seconds_until_due(timezone.now())
                    WORK_QUEUED.wait(POLL_SECONDS if due is None else min(max(due, 0.01), POLL_SECONDS))
            except Exception:
                logger.exception("A webhook delivery was interrupted; it is tried again.")
                connections.close_all()
                self._stopping.wait(PAUSE_AFTER_ERROR_SECONDS)
        connections.close_all()
