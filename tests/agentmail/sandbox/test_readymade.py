"""Ready-made replies."""

from datetime import date

import pytest

from agentmail.sandbox.readymade import (
    AskedField,
    ReadyMadeKind,
    compose_reply,
    find_asked_fields,
    guess_value,
    make_pdf,
)

TODAY = date(2026, 11, 24)
ASKED = """Hello Maya,

please send your W-9:

- Legal name: as on the tax return
- Tax ID (EIN)
* signedDate
1. Phone?
not - a list item
> - Quoted

Dana"""


def test_what_a_mail_asks_for_in_a_list_is_found_in_order() -> None:
    assert find_asked_fields(ASKED) == [
        AskedField("Legal name"),
        AskedField("Tax ID", "EIN"),
        AskedField("signedDate"),
        AskedField("Phone"),
    ]


def test_the_complete_answer_names_every_asked_field_and_brings_a_file() -> None:
    reply = compose_reply(ReadyMadeKind.ANSWER, ASKED, "W-9", "Maya Chen", TODAY)
    assert reply.text == (
        "Hello,\n\nHappy to help. Here is everything, and the document is attached:\n\n"
        "Legal name: Northwind Supplies LLC\nTax ID: 12-3456789\nsignedDate: 2026-12-08\nPhone: +1 555 0100\n\n"
        "Best regards\nMaya Chen\n"
    )
    assert [(file.filename, file.content_type) for file in reply.files] == [("W-9.pdf", "application/pdf")]
    assert reply.subject is None
    assert reply.headers == {}


def test_without_a_list_the_complete_answer_confirms() -> None:
    reply = compose_reply(ReadyMadeKind.ANSWER, "Can you confirm?", "Visit", "Maya", TODAY)
    assert reply.text == "Hello,\n\nYes, confirmed. The document is attached.\n\nBest regards\nMaya\n"


def test_a_question_and_a_refusal_bring_no_file_and_keep_the_subject() -> None:
    question, refusal = (
        compose_reply(kind, ASKED, "W-9", "Maya", TODAY) for kind in (ReadyMadeKind.QUESTION, ReadyMadeKind.REFUSAL)
    )
    assert question.text.startswith("Hello,\n\nBefore I look into this:")
    assert refusal.text == (
        "Hello,\n\nThank you for asking, but we decline. Please do not contact us again.\n\nBest regards\nMaya\n"
    )
    for reply in (question, refusal):
        assert (reply.subject, reply.headers, reply.files) == (None, {}, ())


def test_out_of_office_says_so_in_headers_subject_and_a_date() -> None:
    reply = compose_reply(ReadyMadeKind.AWAY, ASKED, "W-9", "Maya", TODAY)
    assert reply.headers == {"Auto-Submitted": "auto-replied", "X-Autoreply": "yes"}
    assert reply.subject == "Automatic reply: W-9"
    assert "back on December 1, 2026." in reply.text


@pytest.mark.parametrize(
    ("label", "hint", "value"),
    [
        ("company", "", "Northwind Supplies LLC"),
        ("Contact person", "", "Maya"),
        ("deliveryDay", "", "2026-12-08"),
        ("Signed", "with day, month and year", "2026-12-08"),
        ("Size", "small, medium or large", "small"),
        ("Status", "on time or late, optional", "on time"),
        ("Insured", "yes or no", "yes"),
        ("Anything", "", "yes"),
    ],
)
def test_a_value_is_a_choice_of_the_hint_or_made_up_from_the_words(label: str, hint: str, value: str) -> None:
    assert guess_value(AskedField(label, hint), "Maya", TODAY) == value


def test_the_pdf_says_where_each_of_its_objects_begins() -> None:
    pdf = make_pdf([r"a (b) \ c", "snowman ☃"])
    assert rb"(a \(b\) \\ c) Tj" in pdf
    assert b"(snowman ?) Tj" in pdf
    table = int(pdf.split(b"startxref\n")[1].split(b"\n")[0])
    entries = pdf[table:].split(b"\n")[3:8]
    for number, entry in enumerate(entries, start=1):
        assert pdf[int(entry[:10]) :].startswith(b"%d 0 obj" % number)
