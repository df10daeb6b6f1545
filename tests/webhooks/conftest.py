"""What the tests of the webhooks share; must not patch the product."""

from __future__ import annotations

import pytest

from webhooks import nudge


@pytest.fixture(autouse=True)
def _forget_webhook_queue_failures() -> None:
    """Each test meets the queue as a new process would."""
    nudge._quiet_until = 0.0
