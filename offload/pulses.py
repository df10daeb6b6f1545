"""Lets beat and workers say that they live, and reads what they said; must never stop or slow what they do.

Written on the database's clock, so that two hosts never disagree about how long ago it was.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery.bootsteps import StartStopStep
from django.db import Error, connection

from offload.models import Pulse
from offload.sqs import last_good_poll_at

logger = logging.getLogger(__name__)

EVERY_S = 10.0
# After three missed ones a process counts as gone.
LIVES_S = 35.0
# A row of a process that was killed serves nobody after a day.
FORGET_AFTER = "1 day"

BEAT = """
    INSERT INTO offload_pulse (name, kind, beaten_at, polled_at)
    VALUES (%(name)s, %(kind)s, clock_timestamp(), clock_timestamp() - %(ago)s * interval '1 second')
    ON CONFLICT (name) DO UPDATE SET beaten_at = excluded.beaten_at, polled_at = excluded.polled_at
"""
READ = """
    SELECT kind, extract(epoch FROM clock_timestamp() - beaten_at), extract(epoch FROM clock_timestamp() - polled_at)
      FROM offload_pulse
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """One process: seconds since it was heard of, and since the queue last answered it.

    Before the first answer a worker counts from its start; None is no worker.
    """

    kind: str
    age_s: float
    poll_age_s: float | None

    @property
    def lives(self) -> bool:
        return self.age_s <= LIVES_S


def tell(name: str, kind: str, poll_age_s: float | None = None) -> None:
    """Says that the process lives, and that the queue last answered it `poll_age_s` seconds ago. Raises Error."""
    with connection.cursor() as cursor:
        cursor.execute(BEAT, {"name": name, "kind": kind, "ago": poll_age_s})
        cursor.execute("DELETE FROM offload_pulse WHERE beaten_at < clock_timestamp() - %s::interval", [FORGET_AFTER])


def read_pulses() -> list[Heard]:
    """Returns every process that was heard of within a day. Raises Error."""
    with connection.cursor() as cursor:
        cursor.execute(READ)
        return [Heard(kind, float(age), None if poll is None else float(poll)) for kind, age, poll in cursor.fetchall()]


class BeatPulse:
    """The pulse of the beat that leads; a second beat that waits has none."""

    def __init__(self) -> None:
        self._told_at = float("-inf")

    def tell(self) -> None:
        """Says that the beat leads, at most every 10 s however often it is called. Raises Error."""
        if time.monotonic() - self._told_at >= EVERY_S:
            tell(Pulse.BEAT, Pulse.BEAT)
            self._told_at = time.monotonic()


class WorkerPulse(StartStopStep):
    """Celery's step that tells from a thread of its own that this worker lives, and when its queue last answered."""

    # Behind the pool, whose children are forked by then; before the consumer, whose start is the whole run.
    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._name = f"{Pulse.WORKER} {socket.gethostname()}:{os.getpid()}"[:200]
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._started_at = 0.0

    def start(self, parent: Any) -> None:
        """Starts the thread."""
        self._started_at = time.time()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def stop(self, parent: Any) -> None:
        """Ends the thread, which forgets the worker; waits 2 s at most for a database that does not answer."""
        self._is_stopping.set()
        if self._thread is not None:
            self._thread.join(2)

    def terminate(self, parent: Any) -> None:
        """As `stop`."""
        self.stop(parent)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._try(self._tell)
            self._is_stopping.wait(EVERY_S)
        self._try(self._take_leave)

    def _tell(self) -> None:
        polled_at = last_good_poll_at()
        # A long poll passes before the first answer, and until then the queue is not silent: it was not heard yet.
        since = max(self._started_at, 0.0 if polled_at is None else polled_at.timestamp())
        tell(self._name, Pulse.WORKER, time.time() - since)

    def _take_leave(self) -> None:
        Pulse.objects.filter(name=self._name).delete()

    def _try(self, say: Callable[[], None]) -> None:
        try:
            say()
        except Error as error:
            logger.warning("This worker could not say that it lives: %s", type(error).__name__)
        finally:
            connection.close()
