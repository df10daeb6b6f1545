"""Clocks that a test sets: this process's and the database's together; must not know what is timed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.db import connection

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@dataclass
class Clocks:
    """The clock of this process and the database's, both standing still."""

    process: Any

    def move_to(self, moment: datetime) -> None:
        self.process.move_to(moment)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE test_clock.present SET moment = %s", [moment])


@pytest.fixture
def clocks(db: None) -> Iterator[Clocks]:
    """Both clocks at NOW; the database's is a function that stands before the real one, until the test rolls back."""
    with time_machine.travel(NOW, tick=False) as process, connection.cursor() as cursor:
        cursor.execute(
            "CREATE SCHEMA test_clock; CREATE TABLE test_clock.present (moment timestamptz);"
            "INSERT INTO test_clock.present VALUES (NULL);"
            "CREATE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
            " AS 'SELECT moment FROM test_clock.present';"
            "SET LOCAL search_path = test_clock, public, pg_catalog"
        )
        found = Clocks(process)
        found.move_to(NOW)
        yield found
