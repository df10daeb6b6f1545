"""What the state machines stand on: a stopped clock, two cases, a table for effects."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import Settings

from tests.cases.factories import CaseFactory
from tests.cases.machine.clock import stopped_clock
from tests.cases.machine.ledger_model import LEASE, MAX_FAILURES


@pytest.fixture
def case_ids(transactional_db: None, settings: Settings, caplog: pytest.LogCaptureFixture) -> Iterator[list[UUID]]:
    """Two cases in a database whose clock the test sets. Every step commits, as a worker's does."""
    # Thousands of warnings about leases that ran out would be kept for the report.
    caplog.set_level(logging.ERROR, "cases")
    settings.OFFLOAD_LEASE_SECONDS = int(LEASE.total_seconds())
    settings.OFFLOAD_MAX_FAILURES = MAX_FAILURES
    cases = [CaseFactory.create().id for _ in range(2)]
    with stopped_clock(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE offload_clock.effect (event_id bigint NOT NULL)")
        yield cases
