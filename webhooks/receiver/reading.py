"""PURE: reads what a webhook's body says, whatever was sent; must not refuse anything or know a table."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class ReadBody:
    """A body as text that can be stored, and the ids that an Offload webhook carries ("" where it has none)."""

    text: str
    event_id: str
    event_type: str
    case_id: str


def read_body(raw: bytes) -> ReadBody:
    """Returns a body's text and ids; bytes that are not UTF-8 and NUL become U+FFFD."""
    text = clean(raw.decode("utf-8", "replace"))
    parsed = parse_json(text)
    members = parsed if isinstance(parsed, dict) else {}
    data = members.get("data")
    return ReadBody(
        text=text,
        event_id=_text_of(members, "event_id"),
        event_type=_text_of(members, "event_type"),
        case_id=_text_of(data if isinstance(data, dict) else {}, "caseId"),
    )


def parse_json(text: str) -> Any:
    """Returns the JSON value that a text holds, or the text itself when it is not JSON or could not be shown again."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float)
    except (ValueError, RecursionError):
        return text
    return value if _is_shallow(value) else text


def clean(text: str) -> str:
    """Returns a text without what PostgreSQL and UTF-8 cannot hold: NUL and lone surrogates become U+FFFD."""
    return re.sub("[\x00\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


def _is_shallow(value: Any) -> bool:
    """Returns whether a value can be written as JSON without running out of stack; reading reaches deeper."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return True
    return False


def _text_of(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    return clean(value)[:1000] if isinstance(value, str) else ""


def _read_float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits} is not a number that JSON can carry back")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
