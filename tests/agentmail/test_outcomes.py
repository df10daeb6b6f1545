"""What each end of an attempt means for the mail, state by state."""

import pytest

from agentmail.outcomes import (
    MailState,
    Misconfigured,
    NotNow,
    Refused,
    SendOutcome,
    Sent,
    Unknown,
    state_after,
    state_of_attempt,
)

SENT = Sent("<1@agentmail.to>", "t-1")
REFUSED = Refused("validation_error", "no")
OUTCOMES: list[SendOutcome] = [SENT, REFUSED, NotNow("429"), Misconfigured("401"), Unknown("timeout")]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("frozen", ["sent", "refused", "frozen", "frozen", "unknown"]),
        ("sending", ["sent", "refused", "frozen", "frozen", "unknown"]),
        ("unknown", ["sent", "refused", "unknown", "unknown", "unknown"]),
        ("sent", ["sent"] * 5),
        ("refused", ["refused"] * 5),
        ("abandoned", ["abandoned"] * 5),
    ],
)
def test_every_state_after_every_outcome(state: str, expected: list[str]) -> None:
    assert [state_after(MailState(state), outcome) for outcome in OUTCOMES] == expected


def test_an_attempt_after_one_that_never_ended_is_unknown_from_the_start() -> None:
    assert [state_of_attempt(state) for state in MailState] == [
        "sending",
        "unknown",
        "unknown",
        "sent",
        "refused",
        "abandoned",
    ]
