"""Characters that cannot be seen: shown as codes where they deceive, kept where people write with them."""

from __future__ import annotations

import pytest

from cases.admin.plain import reveal_line, reveal_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("invoice-\u202egpj.exe", "invoice-[U+202E]gpj.exe"),
        ("\u2066a\u2069", "[U+2066]a[U+2069]"),
        ("ma\u200bya@vendor.example", "ma[U+200B]ya@vendor.example"),
        ("a\u00adb\ufeffc\U000e0041", "a[U+00AD]b[U+FEFF]c[U+E0041]"),
        ("Łukasz Müller שלום 山田", "Łukasz Müller שלום 山田"),
        ("नमस्\u200dते", "नमस्\u200dते"),
    ],
)
def test_a_line_shows_what_hides_in_it(text: str, shown: str) -> None:
    assert reveal_line(text) == shown


def test_a_text_keeps_all_but_what_reorders_it() -> None:
    assert reveal_text("a\u200bb\u00ad \u202egpj") == "a\u200bb\u00ad [U+202E]gpj"
