"""A PostgreSQL whose time stands still until a test moves it; must not change a statement that is under test.

The ledger asks the database for the time. Here `now()`, `clock_timestamp()` and `random()` are found in a schema that
stands before `pg_catalog` in the search path, so that the product's SQL runs as it is written, letter for letter, and
a test stands exactly on the moment at which a lease ends. Moving the stored times back instead would leave the real
clock running between two statements: no boundary could be hit, and the jitter of a backoff would make a found fault
flaky. What is lost: all statements of a transaction see one time, and only one connection takes part.
tests/cases/test_races.py has many connections and the real clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection

SCHEMA = """
DROP SCHEMA IF EXISTS offload_clock CASCADE;
CREATE SCHEMA offload_clock;
CREATE FUNCTION offload_clock.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('offload.now')::timestamptz $$;
CREATE FUNCTION offload_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('offload.now')::timestamptz $$;
CREATE FUNCTION offload_clock.random() RETURNS double precision LANGUAGE sql STABLE
    AS $$ SELECT current_setting('offload.random')::double precision $$;
SET search_path = offload_clock, public, pg_catalog;
"""


@contextmanager
def stopped_clock() -> Iterator[None]:
    """Takes the clock of this connection into the test's hands, and gives it back."""
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA offload_clock CASCADE; RESET search_path")


def set_clock(now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('offload.now', %s, false)", [now.isoformat()])


def set_chance(value: float) -> None:
    """Makes `random()` return `value`, from 0 to below 1."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('offload.random', %s, false)", [str(value)])
