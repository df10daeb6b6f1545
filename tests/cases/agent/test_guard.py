"""The check of every outgoing mail: what passes, what is refused, and that a refusal does not repeat the secret."""

from typing import Any

import pytest

from cases.agent.guard import check_outgoing, remove_invisible
from cases.agent.protocol import CaseView, HumanAnswer
from tests.cases.agent.builders import NOW, build_view, our_mail, their_mail

PRIVATE: dict[str, Any] = {
    "limit": 3200,
    "share": 15,
    "walkAway": "Our walk-away price is 4,750 EUR, so keep quiet about the planned merger",
    "code": "K9x",
    "project": "Project Falcon",
    "supplier": "Northstar Supplies",
    "isVip": True,
    "tags": ["blue heron"],
}


def build_guarded(**changes: Any) -> CaseView:
    return build_view(
        **{
            "objective": "Collect a signed W-9 from Maya, upload at https://portal.acme.example/up",
            "knowledge": "Invoices go to pay@acme.example. The form has 12 fields.",
            "constraints": ("Point to help.acme.example when she is stuck.",),
            "private_knowledge": PRIVATE,
            "thread": (our_mail(), their_mail("Our site is www.northstar.example")),
            "human_answers": (HumanAnswer("Where?", "At https://forms.acme.example/w9", NOW),),
            **changes,
        }
    )


def list_rules(text: str, subject: str = "", **changes: Any) -> list[str]:
    return sorted({hit.rule for hit in check_outgoing(text, subject, build_guarded(**changes))})


@pytest.mark.parametrize(
    "text",
    [
        "Hello Maya,\n\nplease send W-9.pdf by 3 December 2026 at 10:30.\n\nThanks, e.g. today.",
        "Upload it at https://portal.acme.example/up?step=2.",
        "Our page: www.portal.acme.example",
        "See https://help.acme.example and https://forms.acme.example/w9",
        "You wrote about northstar.example",
        "Write to pay@acme.example or mailto:pay@acme.example",
        "Is 3 < 4 and 5 > 2? I <3 forms.",
        "Northstar Supplies has 12 fields to fill in",
        "32 chairs, 320 desks and 13200 pens",
        "Tax classification (LLC or partnership):\n- EIN:",
        "Zoë, 日本, Владимир",
        "Name it offer.pptx or photo.heic; we use version 1.2.3.4",
        "Hello Maya,\r\n\r\nthanks.",
        "On 15 December at 15:15, or on 15.12.2026 at 3.15 pm",
    ],
)
def test_an_ordinary_mail_passes(text: str) -> None:
    assert list_rules(text, "Signed W-9 for Acme") == []


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/",
        "evil.example",
        "EVIL.EXAMPLE/path",
        "\uff45\uff56\uff49\uff4c.example",
        "evil\u3002example",
        "https://secret.portal.acme.example/",
        "https://portal.acme.example.evil.example/",
        "https://user:pass@evil.example:8080/",
        "http://192.0.2.1/x",
        "192.0.2.1/x",
        "192.0.2.1:8080/x",
        "ftp://portal.acme.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "xn--e1afmkfd.xn--p1ai",
    ],
)
def test_a_link_that_the_case_does_not_hold_is_refused(text: str) -> None:
    assert "link" in list_rules(f"Please look at {text} today")


@pytest.mark.parametrize(
    "text", ["me@evil.example", "pay@acme.example.evil.example", "pay\uff20evil.example", "root@localhost"]
)
def test_an_address_that_the_case_does_not_hold_is_refused(text: str) -> None:
    assert "address" in list_rules(f"Write to {text}")


@pytest.mark.parametrize(
    "text",
    [
        "[the form](https://portal.acme.example/up)",
        "![x](https://portal.acme.example/up)",
        "[the form][1]\n\n[1]: https://portal.acme.example/up",
        "<a href='https://portal.acme.example/up'>here</a>",
        "<img src=x>",
        "<b>now</b>",
        "<!-- hidden -->",
        "```\ncode\n```",
    ],
)
def test_markup_is_refused(text: str) -> None:
    assert "markup" in list_rules(text)


@pytest.mark.parametrize(
    "char",
    [
        "\u200b",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\u00ad",
        "\U000e0041",
        "\ufe0f",
        "\u3164",
        "\u2028",
        "\x00",
        "\x1b",
        "\r",
        "\ud800",
        "\ue000",
    ],
)
def test_a_character_that_nobody_sees_is_refused(char: str) -> None:
    assert list_rules(f"Hello{char} Maya") == ["characters"]
    assert remove_invisible(f"Hello{char} Maya") == "Hello Maya"


@pytest.mark.parametrize(
    "text",
    [
        "3200 is our limit",
        "3,200 is too low",
        "3 200 would do",
        "3.200,00",
        "\uff13\uff12\uff10\uff10 would do",
        "15 % is the most we give",
        "we could pay 4750",
        "Project Falcon",
        "project-falcon",
        "P r o j e c t  F a l c o n",
        "\uff30\uff32\uff2f\uff2a\uff25\uff23\uff34 falcon",
        "noclaf tcejorp",
        "please keep quiet about the planned merger",
        "the code is k9X",
        "a BLUE-HERON",
        "Pro\u00adject Fal\u200bcon",
        "Pr\u043eject F\u0430lc\u043en",
        "\u0420r\u03bfject Falcon",
        "3_200",
        "3-200",
        "K-9-x",
        "k 9 x",
    ],
)
def test_private_knowledge_does_not_leave(text: str) -> None:
    assert "private" in list_rules(text)


def test_a_secret_in_the_subject_does_not_leave() -> None:
    assert list_rules("Hello", "About Project Falcon") == ["private"]


def test_what_the_client_also_gave_openly_may_be_said() -> None:
    assert list_rules("Northstar Supplies") == []
    assert list_rules("It is 3,200", knowledge="We pay 3200 EUR") == []
    answer = (HumanAnswer("May I say it?", "Tell them about Project Falcon", NOW),)
    assert list_rules("It is for Project Falcon", human_answers=answer) == []


def test_constraints_are_orders_to_us_and_make_nothing_public() -> None:
    assert list_rules("It is for Project Falcon", constraints=("Never mention Project Falcon",)) == ["private"]


def test_what_the_counterparty_guessed_is_not_confirmed() -> None:
    thread = (our_mail(), their_mail("Is your limit 3,200?"))

    assert list_rules("Yes, 3200.", thread=thread) == ["private"]


def test_a_refusal_does_not_repeat_the_secret() -> None:
    hits = check_outgoing("Project Falcon, 3200, K9x", "", build_guarded())

    assert [(hit.rule, hit.detail) for hit in hits] == [("private", "something of the private knowledge")]


def test_private_knowledge_left_inside_the_knowledge_is_not_public() -> None:
    knowledge = {"deadline": "Friday", "private": {"project": "Project Falcon"}}

    assert list_rules("Project Falcon", knowledge=knowledge) == ["private"]


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        (" \n ", "x"),
        ("x" * 20_001, "x"),
        ("x", "x" * 201),
        ("x", "a\nb"),
        ("x", "a\u2028b"),
        ("x", "a\tb"),
        ("x", "a\r"),
    ],
)
def test_a_mail_has_a_text_and_one_line_of_subject(text: str, subject: str) -> None:
    assert "form" in list_rules(text, subject)


def test_each_reason_is_given_once() -> None:
    hits = check_outgoing("evil.example evil.example https://evil.example", "", build_guarded())

    assert [hit.rule for hit in hits] == ["link"]


@pytest.mark.parametrize(
    "text",
    [
        "4 8 2 0 0",
        "It is 4-8-2-0-0.",
        "4, 8, 2, 0, 0",
        "RmluYW5jZSB3YW50cyB0byBkcm9wIHRoZW0=",
        "RmluYW5jZSB3YW50cyB0byBkcm9wIHRoZW0",
        "46696e616e63652077616e747320746f2064726f70207468656d",
        "We pay 1.35 EUR.",
        "We pay 1,35 EUR.",
    ],
)
def test_private_knowledge_does_not_leave_spelled_out_coded_or_as_a_fraction(text: str) -> None:
    private = {"budget": 48200, "price": 1.35, "note": "Finance wants to drop them"}

    assert list_rules(text, private_knowledge=private) == ["private"]


@pytest.mark.parametrize("text", ["Call 4-8-2 or 13:50.", "Ref. Zm9vYmFyYmF6cXV4", "1.36 EUR", "135 pieces", "1-2-3"])
def test_other_codes_and_fractions_may_leave(text: str) -> None:
    assert list_rules(text, private_knowledge={"budget": 48200, "price": 1.35, "note": "Finance"}) == []


@pytest.mark.parametrize("text", ["15 % then", "It is 15.", "in 15 days", "1 5 or not: 15"])
def test_a_private_number_of_two_figures_leaves_only_as_a_date_or_a_time(text: str) -> None:
    assert list_rules(text) == ["private"]
