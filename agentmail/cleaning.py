"""PURE: makes the provider's JSON storable in PostgreSQL; must not refuse it or judge what it means.

A webhook that is authentic but odd is never turned away: the provider would repeat it for a day and then drop it.
"""

import json
import math
import re
from typing import Any

# Deeper than any event AgentMail documents, shallow enough for every recursive reader after us.
MAX_DEPTH = 64
TOO_DEEP = "[nested too deep]"

# A B-tree entry of PostgreSQL holds about 2,700 bytes and the unique index of inbound mail holds two ids.
MAX_ID_BYTES = 1000

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def clean_text(text: str) -> str:
    """Returns the text with NUL and lone surrogates as U+FFFD: PostgreSQL stores neither, in text or in jsonb."""
    return _UNSTORABLE.sub("\ufffd", text)


def clean_line(text: str) -> str:
    """Returns the text as one line: control characters and line breaks become single blanks."""
    return _CONTROL.sub(" ", clean_text(text)).strip()


def clean_id(value: object) -> str:
    """Returns a provider's id as it stands, or "" when it cannot serve as one.

    It cannot when it is no text, blank, longer than an index entry may be (MAX_ID_BYTES), or "." or "..": HTTP
    clients resolve those two inside a path, percent-encoded or not, and the call would reach another resource.
    """
    if not isinstance(value, str):
        return ""
    text = clean_text(value)
    if not text.strip() or text in (".", "..") or len(text.encode()) > MAX_ID_BYTES:
        return ""
    return text


def load_json(raw: bytes) -> Any:
    """Returns the JSON value of the body, cleaned so that jsonb takes it.

    Integers beyond 64 bits, numbers beyond a double, NaN and Infinity become text. What is nested deeper than
    MAX_DEPTH is replaced by TOO_DEEP. Raises ValueError or RecursionError when the body cannot be read as JSON.
    """
    value = json.loads(raw.decode(), parse_int=_read_int, parse_float=_read_float, parse_constant=str)
    return _clean(value, MAX_DEPTH)


def _read_int(digits: str) -> int | str:
    return int(digits) if len(digits) <= 18 else digits


def _read_float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _clean(value: Any, depth_left: int) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list) and depth_left == 0:
        return TOO_DEEP
    if isinstance(value, dict):
        return {clean_text(key): _clean(member, depth_left - 1) for key, member in value.items()}
    if isinstance(value, list):
        return [_clean(item, depth_left - 1) for item in value]
    return value
