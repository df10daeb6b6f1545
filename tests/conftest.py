"""What every test shares; must not start a process or touch the network."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec

import pytest

from tests.clocks import clocks as clocks
from webhooks import nudge

# Their packages are installed where there is a browser (./dev test --e2e).
collect_ignore = [] if find_spec("playwright") else ["e2e"]

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    """A Tuesday morning."""
    return NOW


@pytest.fixture(autouse=True)
def _forget_queue_failures() -> None:
    """Each test meets the queue as a new process would."""
    nudge._quiet_until = 0.0
