"""Which plain refusals ask for no more mail at all, in the languages that the rules read."""

from __future__ import annotations

import pytest

from cases.agent.decisions import FailedRejected
from cases.agent.offline.agent import OfflineAgent
from tests.cases.agent.builders import replied


@pytest.mark.parametrize(
    "text",
    [
        "Stop writing to me.",
        "Please remove me from your mailing list.",
        "Do not contact me again.",
        "Bitte schreiben Sie mir nicht mehr.",
        "Ne me contactez plus.",
        "No me escriban.",
    ],
)
def test_whoever_wants_no_more_mail_is_heard(text: str) -> None:
    decision = OfflineAgent().evaluate(replied(text)).value

    assert isinstance(decision, FailedRejected)
    assert decision.asks_not_to_be_written_to


@pytest.mark.parametrize("text", ["We will not sign.", "We are not interested.", "Kein Interesse."])
def test_a_refusal_of_the_matter_leaves_the_address_open(text: str) -> None:
    decision = OfflineAgent().evaluate(replied(text)).value

    assert isinstance(decision, FailedRejected)
    assert not decision.asks_not_to_be_written_to
