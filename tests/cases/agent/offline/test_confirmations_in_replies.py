"""Confirmations in replies to a case without a schema, and all that is less than one."""

from typing import Any

import pytest

from cases.agent.decisions import FailedRejected, GoalAchieved, InputNeeded
from cases.agent.offline.agent import OfflineAgent
from tests.cases.agent.builders import replied

AGENT = OfflineAgent()
CONFIRM: dict[str, Any] = {
    "objective": "Confirm that the delivery of order 4711 on 3 March works",
    "result_schema": None,
    "knowledge": None,
}
CALL: dict[str, Any] = {**CONFIRM, "objective": "Schedule a 30-minute call with Maya next week"}
LEARN: dict[str, Any] = {**CONFIRM, "objective": "Find out when order 4711 ships"}
NDA: dict[str, Any] = {**CONFIRM, "objective": "Collect a signed NDA from Maya"}


def judge(text: str, **changes: Any) -> Any:
    return AGENT.evaluate(replied(text, **changes)).value


@pytest.mark.parametrize(
    "text",
    [
        "Confirmed.",
        "Hi Alex,\n\nthanks for checking in. I confirm the delivery on 3 March.\n\nKind regards,\nMaya Lin",
        "Yes, that works for us.",
        "Yes, 3 March works.",
        "That works.",
        "Agreed!",
        "Done! Let me know if you need anything else.",
        "All good, confirmed from our side!",
        "No problem, confirmed.",
        "The date is confirmed. See you then!",
        "Sorry for the late reply. Confirmed.",
        "Happy to confirm!",
        "Yes, go ahead",
        "Hiermit bestätige ich den Termin.",
        "Ja, das passt.",
        "Oui, c'est confirmé.",
        "Sí, confirmamos.",
        "Va bene, confermiamo.",
        "Ja, akkoord.",
        "Confirmed\n\nOn Mon, 23 Nov 2026, Alex Kim wrote:\n> Is it not possible?",
    ],
)
def test_without_a_schema_a_plain_confirmation_completes_the_case(text: str) -> None:
    decision = judge(text, **CONFIRM)

    assert isinstance(decision, GoalAchieved), decision
    assert decision.result["confirmed"] is True
    assert sorted(decision.result) == ["confirmed", "summary"]
    assert {item.message_id for item in decision.evidence} == {"<them-1@northstar>"}


@pytest.mark.parametrize(
    "text",
    [
        "Not confirmed.",
        "Unconfirmed.",
        "Yes, but only in the afternoon.",
        "I cannot confirm.",
        "I can confirm nothing.",
        "When I have confirmed with the warehouse I will write.",
        "Confirmed?",
        "Please confirm.",
        "Let me confirm.",
        "We will confirm.",
        "I'm happy to confirm once paid.",
        "We confirm receipt of your message.",
        "I confirm I will not be there.",
        "I can confirm I work here.",
        "We confirm the cancellation.",
        "We confirm delivery on 4 March.",
        "Confirmed, 150 chairs.",
        "Confirmed for next year.",
        "Confirmed, unless it snows.",
        "Confirmed. Just kidding, no way.",
        "Confirmed: we decline.",
        "It was confirmed by Bob, he told me.",
        "My boss confirmed that he is away.",
        "Agreed, subject to contract.",
        "Agreed in general, details to follow.",
        "We agreed last week that you would call.",
        "I agree with your colleague.",
        "I would agree.",
        "Agreed. However, the price changed.",
        "Almost done.",
        "I'm done with this nonsense.",
        "To be confirmed.",
        "Sounds good",
        "Yes",
        "OK",
        "Maybe.",
        "Nicht bestätigt.",
        "Wir bestätigen den Eingang Ihrer Nachricht.",
        "Je ne confirme pas.",
        "D'accord, mais pas avant mars.",
        "No confirmado.",
        "Non confermo.",
        "Niet akkoord.",
        "On Mon, 23 Nov 2026, Alex Kim wrote:\n> Confirmed",
    ],
)
def test_anything_less_than_a_plain_confirmation_does_not(text: str) -> None:
    assert not isinstance(judge(text, **CONFIRM), GoalAchieved | FailedRejected)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("Confirmed.", LEARN),
        ("Agreed", LEARN),
        ("Friday", LEARN),
        ("It ships on 3 March.", LEARN),
        ("Confirmed, Wednesday 3pm.", CALL),
        ("I'm free on Wednesday at 3pm", CALL),
        ("Sure, how about Thursday?", CALL),
    ],
)
def test_an_answer_that_rules_cannot_read_goes_to_a_human(text: str, changes: dict[str, Any]) -> None:
    assert isinstance(judge(text, **changes), InputNeeded)


@pytest.mark.parametrize(
    ("text", "files", "kind"),
    [
        ("Done, see attached.", ("nda.pdf",), "GOAL_ACHIEVED"),
        ("Please find the signed NDA attached.", ("nda.pdf",), "GOAL_ACHIEVED"),
        ("Confirmed.", (), "REQUIRES_REPLY"),
        ("Done, see attached.", (), "REQUIRES_REPLY"),
        ("Attached, but page 2 is missing.", ("nda.pdf",), "INPUT_NEEDED"),
        ("Here it is.", ("nda.pdf",), "INPUT_NEEDED"),
        ("I signed it yesterday.", (), "INPUT_NEEDED"),
    ],
)
def test_a_wanted_file_has_to_come_for_a_case_without_a_schema(text: str, files: tuple[str, ...], kind: str) -> None:
    assert judge(text, files=files, **NDA).kind == kind
