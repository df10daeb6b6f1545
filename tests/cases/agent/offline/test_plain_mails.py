"""The rules end a case only on a mail of which they understand every word; the rest is for a human to read."""

from typing import Any

import pytest

from cases.agent.decisions import FailedRejected, GoalAchieved
from cases.agent.offline.agent import OfflineAgent
from tests.cases.agent.builders import W9_LINES, W9_RESULT, replied

AGENT = OfflineAgent()
DETAILS = {"objective": "Collect the details of Northstar"}
MEETING = {
    "objective": "Confirm that Maya attends the meeting on 3 December 2026 at 14:00",
    "result_schema": {"required": ["confirmed"], "properties": {"confirmed": {"type": "boolean"}}},
}
CHAIRS = {"objective": "Confirm the delivery of 20 chairs on 3 December 2026", "result_schema": None}
PRICE = {
    "objective": "Get the price and the date",
    "result_schema": {
        "required": ["price", "date"],
        "properties": {"price": {"type": "number"}, "date": {"type": "string", "format": "date"}},
    },
}
NDA = {
    "objective": "Obtain the countersigned NDA",
    "result_schema": {"required": ["ndaReceived"], "properties": {"ndaReceived": {"type": "boolean"}}},
}


def judge(text: str, **changes: Any) -> Any:
    return AGENT.evaluate(replied(text, **changes)).value


@pytest.mark.parametrize(
    "text",
    [
        W9_LINES,
        f"Dear Alex,\n\nmany thanks. Here are the details you asked for:\n\n{W9_LINES}\n\nBest,\nMaya Lin",
        f"Hallo Alex,\n\nhier die gewünschten Angaben:\n\n{W9_LINES}\n\nViele Grüße\nMaya",
        f"Bonjour,\n\nvoici les données.\n\n{W9_LINES}\n\nCordialement",
        f"{W9_LINES}\n\nMaya Lin\nAccounts Payable, Northstar Supplies\n+1 312 555 0142 | maya@northstar.example",
        f"{W9_LINES}\n\nLet me know if you need anything else!",
        f"{W9_LINES}\n\nDo you need anything else?",
    ],
)
def test_values_among_courtesies_and_a_signature_complete_the_case(text: str) -> None:
    decision = judge(text, **DETAILS)

    assert isinstance(decision, GoalAchieved), decision
    assert decision.result == W9_RESULT


@pytest.mark.parametrize(
    "text",
    [
        f"{W9_LINES}\n\nThat was last year's entity, the new one is being registered.",
        f"For instance\n{W9_LINES}",
        f"Our competitor's data:\n{W9_LINES}",
        f"{W9_LINES}\n\nBut please do not process this until my boss signs off.",
        f"My lawyer says I must not send you\n{W9_LINES}",
        f"{W9_LINES}\nPlease delete this, sent to the wrong recipient.",
        f"{W9_LINES}\n\nSorry, wrong client, these belong to another file.",
        f"{W9_LINES}\n\nJust kidding.",
        f"{W9_LINES}\n\nMaya\n\nJust kidding.",
        f"{W9_LINES}\n\nMaya\nI withdraw this.",
        f"{W9_LINES}\nTo be verified by our accountant.",
        f"{W9_LINES}\nOnly valid if you sign our NDA first.",
        f"{W9_LINES}\nI have no idea whether this is still current.",
        f"{W9_LINES}\n\nOr was the EIN 12-3456788?",
        f"{W9_LINES}\n\nIs that the old entity?",
        f"{W9_LINES}\nN'utilisez pas encore ces données.",
        W9_LINES.replace("12-3456789", "12-3456789 (old)"),
        W9_LINES.replace("12-3456789", "XX-XXXXXXX"),
        W9_LINES.replace("12-3456789", "00-0000000"),
        W9_LINES.replace("Northstar LLC", "your name here"),
    ],
)
def test_whatever_else_stands_beside_the_values_is_for_a_human_or_asked_again(text: str) -> None:
    assert judge(text, **DETAILS).kind in ("INPUT_NEEDED", "REQUIRES_REPLY")


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("Confirmed.", MEETING),
        (
            "Dear Alex,\n\nI hereby confirm the meeting on 3 December 2026 at 14:00.\n\nYours sincerely,\nMaya Lin",
            MEETING,
        ),
        ("Ja, ich bestätige.", MEETING),
        ("Confirmed, 20 chairs.", CHAIRS),
    ],
)
def test_a_confirmation_in_known_words_completes_the_case(text: str, case: dict[str, Any]) -> None:
    assert isinstance(judge(text, **case), GoalAchieved)


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("I confirm my absence.", MEETING),
        ("It is confirmed by my boss that nobody comes.", MEETING),
        ("I can confirm at 15:00.", MEETING),
        ("Confirmed, 3 December at 16:00.", MEETING),
        ("Confirmed: false", MEETING),
        ("Confermo la disdetta.", MEETING),
        ("I approve this message.", MEETING),
        ("It is confirmed that the venue is closed.", MEETING),
        ("Confirmed. My colleague attends in my place.", MEETING),
        ("Approved by nobody.", MEETING),
        ("Confirmed, 20 tables.", CHAIRS),
        ("Confirmed. Twenty-one chairs.", CHAIRS),
        ("Confirmed by telephone with your competitor.", CHAIRS),
        ("Accepted. We will invoice double.", CHAIRS),
        ("Your order is confirmed as lost.", CHAIRS),
        ("We confirm our strike on that day.", CHAIRS),
        ("Price: 100\nDate: 3 December 2026\nThis is last year's offer.", PRICE),
        ("Price: 100 each\nDate: 3 December 2026", PRICE),
        ("Price: 100, negotiable\nDate: 3 December 2026", PRICE),
        ("Your price: 100\nYour date: 3 December 2026 is too late", PRICE),
    ],
)
def test_another_thing_confirmed_or_another_condition_ends_no_case(text: str, case: dict[str, Any]) -> None:
    assert judge(text, **case).kind not in ("GOAL_ACHIEVED", "FAILED_REJECTED")


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("Please find attached the countersigned NDA.", "scan0001.pdf"),
        ("Attached.", "NDA_signed.pdf"),
        ("See attached.", "Northstar nda.pdf"),
    ],
)
def test_a_file_counts_when_its_name_or_its_sentence_says_what_it_is(text: str, file: str) -> None:
    assert isinstance(judge(text, files=(file,), **NDA), GoalAchieved)


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("Attached.", "scan0001.pdf"),
        ("Please find attached my invoice.", "invoice.pdf"),
        ("Please find attached our mark-up. We cannot accept clause 7.", "NDA_markup.docx"),
        ("Attached the NDA, unsigned.", "NDA.pdf"),
        ("Attached is a draft.", "NDA.pdf"),
    ],
)
def test_a_file_that_may_be_another_is_for_a_human(text: str, file: str) -> None:
    assert judge(text, files=(file,), **NDA).kind == "INPUT_NEEDED"


def test_the_details_for_a_file_of_ours_are_no_file_of_theirs() -> None:
    decision = judge(W9_LINES, objective="Collect the W-9 details of Northstar for our vendor file")

    assert isinstance(decision, GoalAchieved)


@pytest.mark.parametrize("text", ["Wir lehnen jede Haftung ab.", "Ich werde das heute nicht unterschreiben."])
def test_something_else_refused_is_no_refusal(text: str) -> None:
    assert not isinstance(judge(text), FailedRejected)


@pytest.mark.parametrize("text", ["Wir lehnen Ihr Angebot ab.", "Das lehnen wir ab."])
def test_the_same_words_about_our_request_are_one(text: str) -> None:
    assert isinstance(judge(text), FailedRejected)
