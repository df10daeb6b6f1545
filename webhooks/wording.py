"""PURE: the words in which staff read of deliveries and endpoints; must not know a table or HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webhooks.outcomes import DeliveryState

# The tones of the console's chips; "human" means that a person has to do something.
HUMAN, LIVE, GOOD, BAD, QUIET = "human", "live", "good", "bad", "quiet"


@dataclass(frozen=True, slots=True)
class Chip:
    """A word or two with a tone."""

    text: str
    tone: str


_ENDS = {
    DeliveryState.DELIVERED: Chip("Delivered", GOOD),
    DeliveryState.FAILED: Chip("Failed", BAD),
    DeliveryState.UNKNOWN: Chip("Outcome unknown", BAD),
    DeliveryState.SENDING: Chip("Being sent", LIVE),
}


def describe_state(state: str, *, tries: int, is_held: bool) -> Chip:
    """Returns the chip of a delivery. tries: attempts so far. is_held: it waits for a paused endpoint."""
    if is_held:
        return Chip("Waits: endpoint paused", HUMAN)
    if state == DeliveryState.PENDING:
        return Chip("Waits for a retry" if tries else "Waiting", LIVE)
    return _ENDS.get(DeliveryState(state), Chip(state, QUIET))


def describe_attempt(outcome: str) -> Chip:
    """Returns the chip of one attempt; an open one is on its way."""
    return _ENDS[DeliveryState(outcome or DeliveryState.SENDING)]


def describe_wait(*, next_attempt_at: datetime | None, is_held: bool, now: datetime) -> str:
    """Returns what a delivery waits for, "" when it waits for nothing."""
    if is_held:
        return "It goes out once the endpoint is resumed."
    if next_attempt_at is None:
        return ""
    return (
        "A worker takes it within seconds."
        if next_attempt_at <= now
        else f"Tried again {format_time(next_attempt_at)}."
    )


def describe_signatures(count: int) -> str:
    """Returns whether an attempt was signed, and with how many secrets."""
    return "unsigned" if count == 0 else "signed" if count == 1 else f"signed with {count} secrets"


def describe_endpoint(*, paused_at: datetime | None, failing_since: datetime | None) -> Chip:
    """Returns the chip of an endpoint."""
    if paused_at is not None:
        return Chip("Paused", HUMAN)
    return Chip("Failing", BAD) if failing_since is not None else Chip("Answers", GOOD)


def format_time(moment: datetime) -> str:
    """Returns a moment in UTC, to the second."""
    return f"{moment:%-d %b %Y, %H:%M:%S} UTC"
