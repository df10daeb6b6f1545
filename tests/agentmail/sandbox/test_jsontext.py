"""Reading a request's JSON object."""

import pytest

from agentmail.sandbox.jsontext import BadBodyError, read_object


def test_an_empty_body_is_an_empty_object() -> None:
    assert read_object(b"  ") == {}


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        (b"{", "invalid_json", []),
        (b"\xff", "invalid_json", []),
        (b"[" * 100_000, "invalid_json", []),
        (b'{"a": NaN}', "invalid_json", []),
        (b"[]", "invalid_type", []),
        (b'{"a": ["x", "\\u0000"]}', "invalid_string", ["a", 1]),
        (b'{"a": "\\ud800"}', "invalid_string", ["a"]),
        (b'{"a": {"\\u0000": 1}}', "invalid_string", ["a"]),
        (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", "too_deep", ["a", 0, 0]),
    ],
)
def test_a_body_that_cannot_be_stored_is_refused_by_path(raw: bytes, code: str, path: list[str | int]) -> None:
    with pytest.raises(BadBodyError) as caught:
        read_object(raw)
    assert [(error["code"], error["path"]) for error in caught.value.errors] == [(code, path)]
