"""The words in which staff read of deliveries and endpoints."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from webhooks.outcomes import AttemptOutcome, DeliveryState
from webhooks.wording import (
    Chip,
    describe_attempt,
    describe_endpoint,
    describe_signatures,
    describe_state,
    describe_wait,
)


@pytest.mark.parametrize(
    ("state", "tries", "is_held", "chip"),
    [
        ("pending", 0, False, Chip("Waiting", "live")),
        ("pending", 3, False, Chip("Waits for a retry", "live")),
        ("pending", 0, True, Chip("Waits: endpoint paused", "human")),
        ("sending", 1, False, Chip("Being sent", "live")),
        ("delivered", 1, False, Chip("Delivered", "good")),
        ("failed", 8, False, Chip("Failed", "bad")),
        ("unknown", 1, False, Chip("Outcome unknown", "bad")),
    ],
)
def test_a_state_has_its_words_and_only_a_pause_asks_for_a_person(
    state: str, tries: int, is_held: bool, chip: Chip
) -> None:
    assert describe_state(state, tries=tries, is_held=is_held) == chip


def test_no_state_or_outcome_is_without_words() -> None:
    assert all(describe_state(state, tries=0, is_held=False).text for state in DeliveryState)
    assert [describe_attempt(outcome).text for outcome in AttemptOutcome] == [
        "Being sent",
        "Delivered",
        "Failed",
        "Outcome unknown",
    ]


def test_a_wait_says_for_what(now: datetime) -> None:
    assert describe_wait(next_attempt_at=None, is_held=False, now=now) == ""
    assert describe_wait(next_attempt_at=now, is_held=False, now=now) == "A worker takes it within seconds."
    assert describe_wait(next_attempt_at=now + timedelta(hours=2), is_held=False, now=now) == (
        "Tried again 24 Nov 2026, 12:00:00 UTC."
    )
    assert describe_wait(next_attempt_at=now, is_held=True, now=now) == "It goes out once the endpoint is resumed."


def test_signatures_are_counted() -> None:
    assert [describe_signatures(count) for count in (0, 1, 2)] == ["unsigned", "signed", "signed with 2 secrets"]


def test_an_endpoint_is_paused_failing_or_answers(now: datetime) -> None:
    assert describe_endpoint(paused_at=now, failing_since=now) == Chip("Paused", "human")
    assert describe_endpoint(paused_at=None, failing_since=now) == Chip("Failing", "bad")
    assert describe_endpoint(paused_at=None, failing_since=None) == Chip("Answers", "good")
