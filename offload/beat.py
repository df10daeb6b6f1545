"""The scheduler that only one beat at a time acts as, elected by PostgreSQL; must not do any of the work it announces.

Two plain beats send everything twice. Here each beat asks for one advisory lock, and the one that holds it ticks.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from celery.beat import SchedulingError
from django.db import Error, close_old_connections, connection
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from offload.pulses import BeatPulse
from offload.queues import check_at_start

logger = logging.getLogger(__name__)

# Any number that nothing else in this database locks.
LOCK_ID = 20_260_521_001
FOLLOWER_WAIT_S = 2.0
LEADER_CHECK_S = 5.0
SEND_AGAIN_AFTER_S = 5.0
# A leader that hangs for so long loses its session, and with it the lock. It must exceed LEADER_CHECK_S well.
SILENT_LEADER_S = 30


class LeaderLock:
    """A session lock on a connection of its own, so that no pool, proxy or closed query connection gives it away."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._connection: psycopg.Connection[Any] | None = None
        self._is_held = False
        self._is_cut_off = False

    def hold(self) -> bool:
        """Returns whether this process is the leader at this moment; asks for the lock if it is not.

        A database that does not answer makes the answer False, never an error. A lock that was held on a lost
        connection is gone and is asked for again.
        """
        try:
            if self._connection is None:
                self._connection = self._connect()
            if self._is_held:
                self._connection.execute("SELECT 1")
            else:
                row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_ID]).fetchone()
                self._is_held = row is not None and row[0]
            self._is_cut_off = False
        except psycopg.Error as error:
            if not self._is_cut_off:
                logger.warning("The beat does not reach the database: %s", error)
            self._is_cut_off = True
            self.release()
        return self._is_held

    def release(self) -> None:
        """Gives the lock and its connection back; a second call does nothing."""
        self._is_held = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection[Any]:
        # The client's limits keep this process from waiting for ever on a network that swallows packets, the
        # server's end the session of a leader whose host is gone or that hangs.
        parameters = {
            **self._parameters,
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,
            "application_name": "offload beat",
            "autocommit": True,
        }
        connected = psycopg.connect(**parameters)
        connected.execute(f"SET idle_session_timeout = '{SILENT_LEADER_S}s'")
        connected.execute("SET tcp_keepalives_idle = 10")
        connected.execute("SET tcp_keepalives_interval = 5")
        connected.execute("SET tcp_keepalives_count = 3")
        return connected


class LeaderScheduler(DatabaseScheduler):  # type: ignore[misc]
    """django-celery-beat's scheduler, which waits while another beat leads and outlives the database and the queue.

    The schedule of the settings is written once, for names the table does not have; what the admin edits stays.
    """

    # The stock scheduler's own connection retries for an hour inside one tick when the queue is down. Without a
    # producer each task is sent through the application's pool, which fails within seconds.
    producer = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock = LeaderLock(connection.get_connection_params())
        # None until the first tick.
        self._leads: bool | None = None
        self._unsent: dict[str, Any] = {}
        self._send_again_at = 0.0
        self._pulse = BeatPulse()
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Only compares the queue: the schedule is written and read by the beat that leads, when it begins to."""
        check_at_start()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Sends what is due if this beat leads; returns the seconds to sleep. Never raises because of the database."""
        try:
            if not self._lock.hold():
                self._wait_for_turn()
                return FOLLOWER_WAIT_S
            if not self._leads:
                self._take_over()
            self._send_unsent()
            delay: float = super().tick(*args, **kwargs)
            # Behind the tick, which is the work: a beat that ticks no more has no pulse.
            self._pulse.tell()
        except Error as error:
            logger.warning("The beat does not reach the database: %s", error)
            self._wait_for_turn()
            self._lock.release()
            close_old_connections()
            return FOLLOWER_WAIT_S
        return min(delay, LEADER_CHECK_S)

    def schedule_changed(self) -> bool:
        """Returns whether the schedule was edited; a session that was cut is replaced first, without a stack trace."""
        if connection.connection is not None and not connection.is_usable():
            connection.close()
        return bool(super().schedule_changed())

    def apply_entry(self, entry: Any, producer: None = None) -> None:
        """Sends the entry's task. One that the queue did not take is sent again soon, not at its next turn."""
        if not self._send(entry):
            self._unsent[entry.name] = entry
            self._send_again_at = time.monotonic() + SEND_AGAIN_AFTER_S

    def close(self) -> None:
        """Saves when each entry ran last, then lets another beat lead."""
        try:
            super().close()
        finally:
            self._lock.release()

    def _send(self, entry: Any) -> bool:
        try:
            self.apply_async(entry, advance=False)
        except SchedulingError as error:
            logger.warning("%s", error)
            return False
        self._unsent.pop(entry.name, None)
        # The queue takes messages, so what it did not take may follow at once.
        self._send_again_at = 0.0
        logger.debug("Sent %s (%s).", entry.task, entry.name)
        return True

    def _send_unsent(self) -> None:
        if not self._unsent or time.monotonic() < self._send_again_at:
            return
        for entry in list(self._unsent.values()):
            if not self._send(entry):
                self._send_again_at = time.monotonic() + SEND_AGAIN_AFTER_S
                return

    def _take_over(self) -> None:
        self._seed()
        # Forget what was read before: the leader until now has written since.
        self._dirty.clear()
        self._initial_read = True
        self._heap = None
        self._leads = True
        logger.info("This beat leads.")

    def _wait_for_turn(self) -> None:
        if self._leads is False:
            return
        logger.info("This beat waits until it can lead.")
        self._leads = False
        # Written later, they would overwrite the next leader's.
        self._dirty.clear()
        self._unsent.clear()

    def _seed(self) -> None:
        seeds: dict[str, dict[str, Any]] = self.app.conf.beat_schedule
        known = set(PeriodicTask.objects.filter(name__in=seeds).values_list("name", flat=True))
        for name in seeds.keys() - known:
            self.Entry.from_entry(name, app=self.app, **seeds[name])
