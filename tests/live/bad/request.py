"""What one bad request is, and the good one that most of them are made from; must not send anything.

In paths, headers and bodies these words stand for something in the stack: ASKING (a case that waits for an answer) with
its QUESTION, ENDED (a case that is complete), THEIRS (another client's case), GOOD-KEY, INACTIVE-KEY, HOST.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MISSING = object()
NOBODY = "/cases/7c9e6679-7425-40de-944b-e07fc1f90ae7"
UNUSED_KEY = "off_00000000_" + "0" * 43
HEADERS = {"Host": "HOST", "x-api-key": "GOOD-KEY", "Content-Type": "application/json"}

INVALID, NOT_FOUND, CASE_NOT_FOUND = "INVALID_REQUEST", "NOT_FOUND", "CASE_NOT_FOUND"
TOO_LARGE, MEDIA_TYPE, METHOD = "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "METHOD_NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class BadRequest:
    """One row. fields: what `details` must name, in order. says: words of the message.

    headers replace those that every request has; None takes one out. line: the request line, if it is an odd one.
    length: the announced Content-Length, if it is not the body's own; "" announces none.
    """

    name: str
    status: int = 400
    code: str = INVALID
    says: str = ""
    fields: tuple[str, ...] = ()
    method: str = "POST"
    path: str = "/cases"
    body: bytes = b""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    line: str = ""
    length: str | None = None

    def compose(self) -> bytes:
        """Returns head and body as they go over the wire, the words of this module still in them."""
        lines = [self.line or f"{self.method} {self.path} HTTP/1.1"]
        headers: dict[str, str | None] = {**HEADERS, **self.headers}
        length = str(len(self.body)) if self.length is None else self.length
        if length and (self.body or self.length is not None or self.method == "POST"):
            headers["Content-Length"] = length
        lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


def make_document() -> dict[str, Any]:
    """Returns a good body of POST /cases."""
    return {
        "channel": "EMAIL",
        "goal": {"objective": "Collect a signed W-9 from Maya"},
        "counterparty": {"address": "maya@northstar.example", "name": "Maya Lindqvist"},
        "senderPersona": {"name": "Ana Reyes"},
    }


GOOD = json.dumps(make_document()).encode()


def change(path: str, value: Any) -> bytes:
    """Returns the good body with one member replaced, or taken out for MISSING."""
    document = make_document()
    *parents, name = path.split(".")
    place = document
    for parent in parents:
        place = place[parent]
    if value is MISSING:
        del place[name]
    else:
        place[name] = value
    return json.dumps(document).encode()
