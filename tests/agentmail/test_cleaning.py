"""What the provider sends must fit into PostgreSQL, whatever it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmail.cleaning import MAX_DEPTH, TOO_DEEP, clean_id, clean_line, clean_text, load_json

# Everything json.loads can produce, surrogates and NUL included.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=[]))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


def test_nul_and_lone_surrogates_become_the_replacement_character() -> None:
    assert clean_text("a\x00b\ud800c\udfffd\N{GRINNING FACE}é") == "a\ufffdb\ufffdc\ufffdd\N{GRINNING FACE}é"


def test_a_line_has_no_breaks() -> None:
    assert clean_line(" Re: W-9\r\nBcc: x@y.example\u2028z\x00 ") == "Re: W-9 Bcc: x@y.example z\ufffd"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<a/b?c=d@x.example>", "<a/b?c=d@x.example>"),
        ("a" * 1000, "a" * 1000),
        ("a" * 1001, ""),
        ("é" * 501, ""),
        ("", ""),
        ("  ", ""),
        (".", ""),
        ("..", ""),
        ("...", "..."),
        (None, ""),
        (7, ""),
        (["a"], ""),
        ("a\x00", "a\ufffd"),
    ],
)
def test_an_id_is_kept_verbatim_or_not_at_all(value: object, expected: str) -> None:
    assert clean_id(value) == expected


def test_numbers_that_jsonb_cannot_hold_become_text() -> None:
    raw = b'{"big": 1234567890123456789, "small": -5, "huge": 1e999, "nan": NaN, "inf": [-Infinity], "f": 1.5}'

    assert load_json(raw) == {
        "big": "1234567890123456789",
        "small": -5,
        "huge": "1e999",
        "nan": "NaN",
        "inf": ["-Infinity"],
        "f": 1.5,
    }


def test_an_integer_of_five_thousand_digits_is_read() -> None:
    assert load_json(b"9" * 5000) == "9" * 5000


def test_escaped_nul_and_surrogates_are_cleaned_in_keys_and_values() -> None:
    assert load_json(b'{"a\\u0000": ["\\ud800x", "\\ud83d\\ude00"]}') == {"a\ufffd": ["\ufffdx", "\N{GRINNING FACE}"]}


def test_what_is_nested_too_deep_is_replaced_and_the_rest_is_read() -> None:
    value = load_json(b'{"text": "kept", "odd": ' + b"[" * 200 + b"]" * 200 + b"}")

    assert value["text"] == "kept"
    depth, inner = 1, value["odd"]
    while isinstance(inner, list):
        depth, inner = depth + 1, inner[0]
    assert (depth, inner) == (MAX_DEPTH, TOO_DEEP)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"nothing", b'{"a": }'])
def test_what_is_no_json_raises_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of its subclasses will do
        load_json(raw)


@given(ANY_JSON)
def test_whatever_json_says_can_be_written_as_strict_json_in_utf8(value: Any) -> None:
    cleaned = load_json(json.dumps(value).encode())

    written = json.dumps(cleaned, allow_nan=False, ensure_ascii=False)
    assert "\x00" not in written.encode().decode()
    assert "\\u0000" not in written
