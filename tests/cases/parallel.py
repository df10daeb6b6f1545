"""Real connections that meet at a lock, together or in an order of the test's choice; must not sleep or patch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connection, transaction

Call = Callable[[], object]

LONGEST_WAIT_S = 20


def run_on_own_connection(call: Call) -> object:
    """Returns what the call returns or the exception that it raises; its thread's connection is closed afterwards."""
    try:
        return call()
    except Exception as error:
        return error
    finally:
        connection.close()


def in_parallel(*calls: Call) -> list[object]:
    """Runs the calls on connections of their own, started together; returns their results and exceptions."""
    barrier = threading.Barrier(len(calls))

    def run(call: Call) -> object:
        barrier.wait(timeout=LONGEST_WAIT_S)
        return run_on_own_connection(call)

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(timeout=LONGEST_WAIT_S) for future in [pool.submit(run, call) for call in calls]]


def in_line(lock: Call, *calls: Call) -> list[object]:
    """Runs the calls against each other in exactly this order; returns their results and exceptions in it.

    `lock` takes a row lock that each of them needs. PostgreSQL serves those who wait for a row first come, first
    served, and each is started only once the one before it is seen to wait.
    """
    with ThreadPoolExecutor(len(calls)) as pool:
        futures: list[Future[object]] = []
        with transaction.atomic():
            lock()
            for number, call in enumerate(calls, 1):
                futures.append(pool.submit(run_on_own_connection, call))
                wait_until_blocked(number)
        return [future.result(timeout=LONGEST_WAIT_S) for future in futures]


@contextmanager
def background() -> Iterator[Callable[[Call], Future[object]]]:
    """Yields what starts a call on a connection of its own; leaving waits for all of them."""
    with ThreadPoolExecutor() as pool:
        yield lambda call: pool.submit(run_on_own_connection, call)


def wait_until_blocked(number: int) -> None:
    """Returns once so many connections of this database wait for a lock. Raises TimeoutError after 20 s."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while count_blocked() < number:
        time.sleep(0.005)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{count_blocked()} connections wait for a lock instead of {number}")


def count_blocked() -> int:
    with connection.cursor() as cursor:
        # Inside a transaction the view would show the same moment for ever.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])
