"""What a mail server derives from text and subject."""

import pytest

from agentmail.sandbox.wording import extract_written_text, make_preview, reply_subject


@pytest.mark.parametrize(
    ("subject", "expected"),
    [("W-9", "Re: W-9"), ("Re: W-9", "Re: W-9"), ("RE:W-9", "RE:W-9"), ("AW: W-9", "AW: W-9"), ("", "Re:")],
)
def test_a_reply_carries_one_prefix(subject: str, expected: str) -> None:
    assert reply_subject(subject) == expected


def test_a_preview_is_one_line_and_ends_with_an_ellipsis_when_cut() -> None:
    assert make_preview("Hello\n\n  Maya") == "Hello Maya"
    preview = make_preview("x" * 500)
    assert len(preview) == 140
    assert preview == "x" * 139 + "…"


def test_what_the_sender_wrote_leaves_out_the_quoted_mail() -> None:
    text = "Yes.\n> inline\nDone.\n\nOn Tue, 24 Nov 2026 Dana <d@a.example> wrote:\n> Can you?\nbelow"
    assert extract_written_text(text) == "Yes.\nDone."


def test_a_sentence_that_begins_with_on_is_no_quotation() -> None:
    assert extract_written_text("On Monday I wrote to you.\nBye") == "On Monday I wrote to you.\nBye"
