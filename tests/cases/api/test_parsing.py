"""The strict JSON reader by itself: what passes, exactly at its limits, and how fast it refuses."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cases.api.errors import InvalidRequest
from cases.api.parsing import read_json


@pytest.mark.parametrize(
    ("raw", "document"),
    [
        (b' {"a": [1, -2.5, "x", null, true]} ', {"a": [1, -2.5, "x", None, True]}),
        (b'{"a": 9223372036854775807}', {"a": 2**63 - 1}),
        (b'{"a": -9223372036854775808}', {"a": -(2**63)}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        ('{"a": "ß€\U0001f600"}'.encode(), {"a": "ß€\U0001f600"}),
        (b'{"a": {"b": 1}, "c": {"b": 2}}', {"a": {"b": 1}, "c": {"b": 2}}),
        (b'{"a": "[[[{{{,,,\\"]]]"}', {"a": '[[[{{{,,,"]]]'}),
        (b'{"a": "\\\\"}', {"a": "\\"}),
        (b"[" * 32 + b"]" * 32, None),
        (b"[" + b"1," * 19_998 + b"1]", [1] * 19_999),
    ],
)
def test_good_json_is_read_as_it_is(raw: bytes, document: Any) -> None:
    read = read_json(raw)

    if document is not None:
        assert read == document


@pytest.mark.parametrize(
    "raw",
    [
        b'"' + b'\\"' * 499_000,
        b'"' * 999_999,
        b'"\\"' * 300_000 + b"\\",
        b"\\" * 999_999,
        b"[" * 999_999,
        b"]" * 999_999,
        b'{"a":' * 150_000,
        b'{"a":' + b"9" * 900_000 + b"}",
        b'{"a":0.' + b"9" * 900_000 + b"e999}",
        b'{"a":1' + b"e" * 900_000 + b"}",
    ],
)
def test_a_hostile_megabyte_is_refused_in_far_less_than_a_second(raw: bytes) -> None:
    began = time.process_time()

    with pytest.raises(InvalidRequest):
        read_json(raw)

    assert time.process_time() - began < 1
