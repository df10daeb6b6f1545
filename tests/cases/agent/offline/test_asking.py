"""An objective written for us, as a request and a subject line written for them."""

import pytest

from cases.agent.offline.asking import build_ask, first_name, has_meaning
from tests.cases.agent.builders import build_view


@pytest.mark.parametrize(
    ("objective", "request_text", "matter", "subject"),
    [
        (
            "Collect a signed W-9 from Maya at Northstar",
            "Could you please send me a signed W-9?",
            "the signed W-9",
            "Signed W-9 for Acme",
        ),
        (
            "Collect W-9 form from Maya Lin at Northstar Supplies.",
            "Could you please send me your W-9 form?",
            "your W-9 form",
            "W-9 form for Acme",
        ),
        (
            "Get the vendor's bank details for payment",
            "Could you please send me your bank details for payment?",
            "your bank details for payment",
            "Bank details for payment",
        ),
        (
            "Ask Northstar for their updated price list",
            "Could you please send me your updated price list?",
            "your updated price list",
            "Updated price list for Acme",
        ),
        (
            "Confirm the delivery date for order 4711",
            "Could you please confirm the delivery date for order 4711?",
            "the delivery date for order 4711",
            "Delivery date for order 4711",
        ),
        (
            "Confirm with Maya that the delivery date is 3 March",
            "Could you please confirm that the delivery date is 3 March?",
            "my question whether the delivery date is 3 March",
            "Delivery date is 3 March",
        ),
        (
            "Ask whether they can deliver 200 chairs by March",
            "Could you please let me know whether you can deliver 200 chairs by March?",
            "my question whether you can deliver 200 chairs by March",
            "A question from Acme",
        ),
        (
            "Ask Maya if she is available for an interview",
            "Could you please let me know if you are available for an interview?",
            "my question whether you are available for an interview",
            "A question from Acme",
        ),
        (
            "Find out from Maya when the order ships",
            "Could you please let me know when the order ships?",
            "my question about when the order ships",
            "A question from Acme",
        ),
        (
            "Schedule a 30-minute call with Maya next week",
            "I would like to arrange a 30-minute call next week. Which times would suit you?",
            "the 30-minute call next week",
            "30-minute call next week with Acme",
        ),
        (
            "Remind Maya to send the countersigned NDA",
            "Could you please send the countersigned NDA?",
            "my request to send the countersigned NDA",
            "Request to send the countersigned NDA",
        ),
        (
            "Follow up with Maya on invoice 4711",
            "I am writing about invoice 4711. Could you please let me know where this stands?",
            "invoice 4711",
            "Invoice 4711",
        ),
        (
            "The invoice is late",
            "I am writing to you about the following: The invoice is late. Could you please get back to me on this?",
            "my message (The invoice is late)",
            "The invoice is late",
        ),
        (
            "Collect the legal name and EIN of Northstar",
            "Could you please send me the legal name and EIN of your company?",
            "the legal name and EIN of your company",
            "Legal name and EIN of your company",
        ),
    ],
)
def test_an_objective_becomes_a_request(objective: str, request_text: str, matter: str, subject: str) -> None:
    ask = build_ask(objective, build_view())

    assert (ask.request, ask.matter, ask.subject) == (request_text, matter, subject)


@pytest.mark.parametrize(
    "objective",
    [
        "Collect a signed W-9 from Maya. Our limit is 5 %, do not mention it.",
        "Collect a signed W-9 from Maya; she may be difficult",
        "Collect a signed W-9 from Maya without mentioning the audit",
        "Collect a signed W-9 from Maya, but do not tell her why",
    ],
)
def test_instructions_to_us_stay_with_us(objective: str) -> None:
    assert build_ask(objective, build_view()).request == "Could you please send me a signed W-9?"


@pytest.mark.parametrize(
    ("objective", "expected"),
    [("", False), ("   ", False), ("W-9", False), ("!!! ???", False), ("get W-9", True)],
)
def test_fewer_than_two_words_say_nothing(objective: str, expected: bool) -> None:
    assert has_meaning(objective) is expected


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("Maya Lin", "Maya"),
        ("Dr. Maya Lin", "Maya"),
        ("Lin, Maya", "Maya"),
        ("maya", "maya"),
        ("J\u00f6rg\u200b M\u00fcller", "J\u00f6rg"),
        ("Northstar Billing Team", ""),
        ("Acme GmbH", ""),
        ("M. Lin", ""),
        ("maya@northstar.example", ""),
        ("", ""),
    ],
)
def test_people_are_called_by_their_first_name_and_teams_by_none(name: str, called: str) -> None:
    assert first_name(name) == called
