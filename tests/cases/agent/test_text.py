"""What is fresh in a reply and what is quoted, in several mail programs; nothing an outsider sends makes it slow."""

import time

import pytest

from cases.agent.text import MAX_CHARS, find_own_words, split_quoted

OURS = "> Could you please send me a signed W-9?\n> - Legal name:"


@pytest.mark.parametrize(
    "intro",
    [
        "On Tue, 24 Nov 2026 at 10:00 Alex Kim <alex@acme.example> wrote:",
        "On Mon, Nov 24, 2026 at 10:00 AM Alex Kim <alex@acme.example>\nwrote:",
        "Am 24.11.2026 um 10:00 schrieb Alex Kim:",
        "Le mar. 24 nov. 2026 à 10:00, Alex Kim <alex@acme.example> a écrit :",
        "El mar, 24 nov 2026 a las 10:00, Alex Kim escribió:",
        "Il giorno mar 24 nov 2026 alle ore 10:00 Alex Kim ha scritto:",
        "Op di 24 nov 2026 om 10:00 schreef Alex Kim <alex@acme.example>:",
        "-----Original Message-----",
        "________________________________",
        "From: Alex Kim\nSent: Tuesday, 24 November 2026 10:00\nTo: Maya Lin\nSubject: Signed W-9",
        "Von: Alex Kim\nGesendet: Dienstag, 24. November 2026 10:00\nAn: Maya Lin\nBetreff: W-9",
    ],
)
def test_what_stands_above_a_quoted_mail_is_fresh(intro: str) -> None:
    fresh, quoted = split_quoted(f"Legal name: Northstar\n\n{intro}\n\n{OURS}")

    assert fresh == "Legal name: Northstar"
    assert quoted.startswith(intro.split("\n")[0])
    assert "signed W-9?" in quoted


def test_a_reply_below_the_quote_is_fresh() -> None:
    text = f"On Tue, 24 Nov 2026, Alex Kim wrote:\n{OURS}\n\nLegal name: Northstar"

    assert split_quoted(text)[0] == "Legal name: Northstar"


def test_answers_between_quoted_lines_are_fresh() -> None:
    text = "> Legal name?\nNorthstar\n> EIN?\n12-3456789"

    assert split_quoted(text) == ("Northstar\n12-3456789", "> Legal name?\n> EIN?")


def test_the_rest_of_a_broken_quoted_line_is_not_fresh() -> None:
    text = f"Yes.\n\nOn 24 Nov 2026, Alex Kim wrote:\n> {'word ' * 14}\nconfirmed."

    assert split_quoted(text)[0] == "Yes."


def test_a_story_about_somebody_who_wrote_is_fresh() -> None:
    text = "On Tuesday my colleague wrote:\nwe agree to the terms."

    assert split_quoted(text) == (text, "")


def test_a_mail_that_only_quotes_falls_back_to_the_raw_text_but_has_no_own_words() -> None:
    text = f"On Tue, 24 Nov 2026, Alex Kim wrote:\n{OURS}"

    assert split_quoted(text) == (text, "")
    assert find_own_words(text) == ""


@pytest.mark.parametrize(
    "footer",
    [
        "-- \nMaya Lin\nUnsubscribe",
        "Sent from my iPhone",
        "Get Outlook for Android",
        "This e-mail and its attachments are confidential. We will not accept liability.",
        "CONFIDENTIALITY NOTICE: we decline everything",
        "Diese E-Mail enthält vertrauliche Informationen.",
        "To unsubscribe, click here",
    ],
)
def test_signatures_and_legal_footers_are_not_the_writers_words(footer: str) -> None:
    assert find_own_words(f"Yes, that works.\n\n{footer}") == "Yes, that works."


@pytest.mark.parametrize(
    "hostile",
    [
        "On " * 6_000,
        "From: a\n" * 3_000,
        " " * 30_000,
        ("On " * 300 + "\n") * 400,
        ("a 1 wrote " * 90 + "\n") * 400,
        ">\n" * 10_000,
        "_" * 30_000,
        "this e-mail " * 3_000,
    ],
)
def test_hostile_text_is_split_in_time(hostile: str) -> None:
    started = time.perf_counter()

    fresh, quoted = split_quoted(hostile)
    find_own_words(hostile)

    assert len(fresh) + len(quoted) <= 2 * MAX_CHARS
    assert time.perf_counter() - started < 2
