"""Whether values of a result stand where the evidence says: what counts as found, and whose words count at all."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cases.agent.decisions import Evidence
from cases.agent.evidence import check_evidence, check_refusal
from cases.agent.protocol import CaseView, HumanAnswer
from cases.agent.wanted import list_wanted_fields
from tests.cases.agent.builders import NOW, W9_LINES, W9_RESULT, W9_SCHEMA, build_view, our_mail, replied, their_mail

THEIRS = "<them-1@northstar>"
NOT_FOUND = "the value cannot be found in the message that the evidence names"


def cite(field: str, quote: str, message_id: str = THEIRS) -> Evidence:
    return Evidence(field=field, message_id=message_id, quote=quote)


def check(value: Any, text: str, quote: str | None = None, **changes: Any) -> list[str]:
    """Checks one value against one reply; the quote is the whole reply unless given."""
    evidence = [cite("value", text if quote is None else quote)]
    return check_evidence({"value": value}, evidence, replied(text, **changes))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Northstar LLC", "We are NORTHSTAR, LLC."),
        ("12-3456789", "EIN 12 3456789"),
        ("Zürich", "in Zu\u0308rich"),
        (2450, "The total is 2,450.00 EUR"),
        (2450, "2.450,00 €"),
        (2450.5, "2'450.50 CHF"),
        (2450.5, "2 450,50 zł"),
        (0.5, "0.5 mm"),
        ("2026-12-03", "You will have it on 3 December 2026."),
        ("2026-12-03", "am 3. Dezember 2026"),
        ("2026-12-03T09:00:00+01:00", "3 December 2026 at nine"),
        (["Ana", "Bo"], "Bo and Ana come"),
        ({"city": "Lund", "zip": "22100"}, "221 00 Lund"),
        ("2450", "EUR2450"),
        ("2026", "on 03.12.2026"),
        ("Northstar", "Northstar's chairs"),
        ("\u6771\u4eac", "\u6771\u4eac\u3067\u3059"),
        ("", "nothing"),
        (None, "nothing"),
        ([], "nothing"),
    ],
)
def test_a_value_that_the_reply_holds_is_proven(value: Any, text: str) -> None:
    assert check(value, text) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Northstar Ltd", "We are Northstar LLC"),
        (2451, "The total is 2,450.00 EUR"),
        (1, "Confirmed, 40 of them"),
        (24.5, "2450"),
        (13, "thirteen of them"),
        (-5, "minus five"),
        ("2026-12-04", "3 December 2026"),
        ("2026-13-45", "3 December 2026"),
        ("12-3456780", "EIN 12-3456789"),
        ("Room 12, Main Street", "Main Street, Room 11"),
        ("450", "The total is 2450 EUR"),
        ("450", "The total is 2,450 EUR"),
        ("5 EUR", "15 EUR"),
        ("345678", "EIN 12-3456789"),
        ("No", "we cannot say"),
        ("Ana", "Mr. Banana"),
        ({"city": "Malmö"}, "221 00 Lund"),
    ],
)
def test_a_value_that_the_reply_does_not_hold_is_not(value: Any, text: str) -> None:
    quote = "nowhere in the reply"

    faults = check(value, text, quote)

    assert [fault.partition(": ")[2] for fault in faults] == [NOT_FOUND]


def test_a_boolean_needs_a_passage_that_really_stands_there() -> None:
    assert check(True, "Yes, we confirm.", "we confirm") == []
    assert check(True, "We will see.", "we confirm") == [f"value: {NOT_FOUND}"]
    assert check(True, "We will see.", "") == [f"value: {NOT_FOUND}"]
    assert check(True, "We will see.", "e") == [f"value: {NOT_FOUND}"]


def test_a_choice_of_the_schema_needs_only_the_passage() -> None:
    text = f"{W9_LINES.replace('LLC', 'limited liability company', 1)}\nWe are taxed as a partnership."
    evidence = [cite("taxClassification", "taxed as a partnership")]
    result = {"taxClassification": "sole_proprietor"}

    assert check_evidence(result, evidence, replied(text), list_wanted_fields(W9_SCHEMA)) == []
    assert check_evidence(result, evidence, replied(text)) == [f"taxClassification: {NOT_FOUND}"]


def test_a_small_number_may_be_written_as_a_word() -> None:
    assert check(2, "Wir kommen zu zweit.", "zu zweit") == []
    assert check(2, "Wir kommen zu zweit.", "zu dritt") == [f"value: {NOT_FOUND}"]


def test_other_words_for_the_same_pass_with_their_quote_and_no_new_figure() -> None:
    text = "The parcel was left with the neighbour, Mr Berg, at number 14."

    assert check("Parcel left with neighbour Berg at 14", text, "left with the neighbour") == []
    assert check("Parcel left with neighbour Berg at 15", text, "left with the neighbour") == [f"value: {NOT_FOUND}"]
    assert check("Everything went exactly as planned", text, "left with the neighbour") == [f"value: {NOT_FOUND}"]


def test_a_value_without_evidence_is_named_by_its_path() -> None:
    result = {"order": {"lines": [{"price": 4}, {"price": 5}]}}

    assert check_evidence(result, [cite("order.lines[0].price", "4")], replied("4 and 5")) == [
        "order.lines.1.price: no evidence names the message that this value comes from"
    ]
    assert check_evidence(result, [cite("order.lines", "4")], replied("4 and 5")) == []
    assert check_evidence(result, [cite("order", "4")], replied("4 and 5")) == []


def test_a_property_whose_name_holds_a_dot_is_found() -> None:
    assert check_evidence({"tax.id": "77"}, [cite("tax.id", "77")], replied("It is 77")) == []


def test_the_whole_w9_is_proven_by_one_reply() -> None:
    evidence = [cite(name, W9_LINES) for name in W9_RESULT]

    assert check_evidence(W9_RESULT, evidence, replied(W9_LINES), list_wanted_fields(W9_SCHEMA)) == []


@pytest.mark.parametrize(
    ("view", "message_id"),
    [
        (build_view(thread=(our_mail("Is it Northstar LLC?"),)), "<us-1@acme>"),
        (build_view(thread=(our_mail(), their_mail("Northstar LLC", automatic="auto_reply"))), THEIRS),
        (replied("Northstar LLC"), "<never@seen>"),
        (build_view(human_answers=(HumanAnswer("?", "Northstar LLC", NOW),)), "human:2"),
    ],
    ids=["our own mail", "an automatic mail", "a mail that is not there", "an answer that is not there"],
)
def test_only_people_on_their_side_and_our_humans_can_prove_a_value(view: CaseView, message_id: str) -> None:
    evidence = [cite("legalName", "Northstar LLC", message_id)]

    assert check_evidence({"legalName": "Northstar LLC"}, evidence, view) == [
        "legalName: the evidence names no message that a person on their side wrote"
    ]


def test_what_they_only_quote_proves_nothing() -> None:
    text = "Looks fine.\n\nOn Mon, 23 Nov 2026 at 09:00, Alex Kim wrote:\n> The total is 1 EUR, confirmed.\n"

    assert check(1, text, "The total is 1 EUR, confirmed.") == [f"value: {NOT_FOUND}"]


def test_a_human_s_answer_proves_what_it_says_and_what_it_agrees_to() -> None:
    view = build_view(human_answers=(HumanAnswer("Is the total 2,450?", "Yes, for Northstar LLC.", NOW),))
    evidence = [cite("total", "Yes", "human:1"), cite("name", "Northstar LLC", "human:1")]

    assert check_evidence({"total": 2450, "name": "Northstar LLC"}, evidence, view) == []


def test_a_file_s_name_is_evidence() -> None:
    view = replied("Attached.", files=("W-9 signed.pdf",))

    assert check_evidence({"signed": True}, [cite("signed", "W-9 signed.pdf")], view) == []
    assert check_evidence({"signed": True}, [cite("signed", "contract.pdf")], view) == [f"signed: {NOT_FOUND}"]


def test_at_most_twenty_faults_are_told() -> None:
    assert len(check_evidence({f"field{n}": "x" for n in range(50)}, [], replied("y"))) == 20


def test_a_refusal_has_to_be_in_their_words() -> None:
    view = replied("Sorry, we do not do that.")

    assert check_refusal([cite("", "we do not do that")], view) == []
    assert len(check_refusal([cite("", "never write again")], view)) == 1
    assert len(check_refusal([cite("", "")], view)) == 1
    assert len(check_refusal([cite("", "Could you please send me a signed W-9?", "<us-1@acme>")], view)) == 1
    assert len(check_refusal([], view)) == 1


def test_a_mail_that_only_quotes_or_forwards_says_nothing() -> None:
    quoted = "> Legal name: Zenith\n> EIN: 99-9999999"
    forwarded = "---------- Forwarded message ---------\nFrom: a@b.example\nTo: c@d.example\n\nLegal name: Zenith"

    assert check("Zenith", quoted) == [f"value: {NOT_FOUND}"]
    assert check("Zenith", forwarded) == [f"value: {NOT_FOUND}"]
    assert check("Zenith", f"It is Zenith.\n\n{quoted}", "It is Zenith.") == []


def test_a_stranger_s_words_count_once_a_human_has_spoken_with_them_in_view() -> None:
    thread = (our_mail(), their_mail("Legal name: Zenith", sender="other"), their_mail("Thanks!", number=2, days_ago=0))
    evidence = [cite("name", "Legal name: Zenith")]
    heard = (HumanAnswer("Does their word count?", "Yes", NOW),)
    before = (HumanAnswer("What is it about?", "A form", NOW - timedelta(days=3)),)

    assert len(check_evidence({"name": "Zenith"}, evidence, build_view(thread=thread))) == 1
    assert len(check_evidence({"name": "Zenith"}, evidence, build_view(thread=thread, human_answers=before))) == 1
    assert check_evidence({"name": "Zenith"}, evidence, build_view(thread=thread, human_answers=heard)) == []


@pytest.mark.parametrize(
    ("files", "sender_is_human", "faults"),
    [
        ((), False, ["w9Received: no file has come"]),
        (("logo.png",), False, ["w9Received: no file has come"]),
        (("w9.pdf",), False, []),
        ((), True, []),
    ],
)
def test_only_a_file_or_a_human_makes_a_file_received(
    files: tuple[str, ...], sender_is_human: bool, faults: list[str]
) -> None:
    fields = list_wanted_fields({"properties": {"w9Received": {"type": "boolean"}}})
    view = replied("Attached.", files=files, human_answers=(HumanAnswer("?", "It came by post.", NOW),))
    entry = cite("w9Received", "It came by post.", "human:1") if sender_is_human else cite("w9Received", "Attached.")

    assert check_evidence({"w9Received": True}, [entry], view, fields) == faults


def test_what_was_received_may_be_something_else_than_a_file() -> None:
    fields = list_wanted_fields({"properties": {"paymentReceived": {"type": "boolean"}}})
    view = replied("Yes, it is here.", objective="Ask whether the payment has arrived")

    assert check_evidence({"paymentReceived": True}, [cite("paymentReceived", "Yes")], view, fields) == []


@pytest.mark.parametrize("result", [{}, {"note": None}, {"note": "", "rows": []}])
def test_a_result_that_claims_nothing_needs_words_of_theirs(result: dict[str, Any]) -> None:
    view = replied("What is this about?")

    assert check_evidence(result, [], view) == ["the result holds nothing, and no words of theirs are quoted"]
    assert check_evidence(result, [cite("", "What is this about?")], view) == []


def test_a_required_text_is_not_empty() -> None:
    result = {**W9_RESULT, "legalName": ""}
    evidence = [cite(name, W9_LINES) for name in W9_RESULT]

    assert check_evidence(result, evidence, replied(W9_LINES), list_wanted_fields(W9_SCHEMA)) == ["legalName: is empty"]


@pytest.mark.parametrize(
    ("answer", "is_found"),
    [
        ("Yes", True),
        ("Yes, no doubt", True),
        ("Take it as it is", True),
        ("Take it, no problem", True),
        ("No, ask her again", False),
        ("That isn't right", False),
        ("Nein, falsch", False),
    ],
)
def test_a_question_that_the_human_denied_proves_nothing(answer: str, is_found: bool) -> None:
    human = HumanAnswer("She wrote that the total is 2450 EUR. Is that right?", answer, NOW)
    evidence = [cite("total", "", "human:1")]

    faults = check_evidence({"total": 2450}, evidence, replied("Hello", human_answers=(human,)))

    assert (faults == []) is is_found


def test_today_is_the_day_of_the_mail_where_its_writer_is() -> None:
    late = their_mail("We signed it today.", days_ago=0.5)
    view = build_view(thread=(our_mail(), late), timezone="America/New_York")
    evidence = [cite("signedOn", "signed it today")]

    assert check_evidence({"signedOn": "2026-11-23"}, evidence, view) == []
    assert check_evidence({"signedOn": "2026-11-24"}, evidence, view) != []


def test_tomorrow_counts_from_the_day_in_the_counterpartys_time_zone() -> None:
    # 02:00 UTC on the 24th is still the 23rd in New York.
    view = build_view(thread=(our_mail(), their_mail("Tomorrow.", days_ago=8 / 24)), timezone="America/New_York")

    assert check_evidence({"on": "2026-11-24"}, [cite("on", "Tomorrow")], view) == []
    assert check_evidence({"on": "2026-11-25"}, [cite("on", "Tomorrow")], view) != []


def test_a_mail_whose_id_looks_like_a_human_answer_is_none() -> None:
    forged = replace(their_mail("We are Northstar LLC."), message_id="human:1")
    evidence = [cite("legalName", "We are Northstar LLC.", "human:1")]

    faults = check_evidence({"legalName": "Northstar LLC"}, evidence, build_view(thread=(our_mail(), forged)))

    assert faults == ["legalName: the evidence names no message that a person on their side wrote"]
