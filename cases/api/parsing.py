"""Reads the JSON of a request and refuses whatever a later layer could trip over; must not know a field by name.

Depth and size are measured on the text before anything recursive sees it: Python's parser recurses, and the
database refuses NUL and lone surrogates only when it is too late for a good answer.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any, cast

from django.http import HttpRequest, QueryDict
from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from cases.api.errors import InvalidRequest, TooLarge, UnsupportedMediaType

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_VALUES = 20_000
_LONGEST_INTEGER = len("-9223372036854775808")
# Closed by the end of the text too, so that it always matches and never backtracks, whatever a body holds. No
# possessive group: Python 3.11.2, which Debian 12 has, matches those wrongly.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*\\?"?', re.DOTALL)
_UNSAFE = re.compile("[\x00\ud800-\udfff]")


class StrictJSONParser(BaseParser):
    """The only parser of the API: UTF-8 JSON of at most 1 MB whose top is an object."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Returns the body. Raises InvalidRequest (400), TooLarge (413) or UnsupportedMediaType (415)."""
        if parser_context and parser_context.get("request") is not None:
            refuse_encoded(parser_context["request"])
        raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise TooLarge
        document = read_json(raw)
        if not isinstance(document, dict):
            raise InvalidRequest("The body must be a JSON object.")
        return document


def refuse_encoded(request: HttpRequest) -> None:
    """Raises UnsupportedMediaType unless the body is plain UTF-8, TooLarge if its announced length says so.

    Django would take any codec that Python knows for a charset, decompressors included.
    """
    content_encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if content_encoding not in ("", "identity"):
        raise UnsupportedMediaType("Send the body uncompressed, without a Content-Encoding header.")
    _, parameters = parse_header_parameters(request.META.get("CONTENT_TYPE", ""))
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("Send the body in UTF-8; no other charset is taken.")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length[:20]) > MAX_BYTES:
        raise TooLarge


def read_body(request: Request) -> dict[str, Any]:
    """Returns the JSON object of the request. Raises InvalidRequest, TooLarge or UnsupportedMediaType.

    A body without an announced length would be read as an empty one, so it is refused by name.
    """
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        raise InvalidRequest("Send the body with a Content-Length header; a chunked body is not taken.")
    return cast(dict[str, Any], request.data)


def read_query(request: HttpRequest) -> QueryDict:
    """Returns the query string's members, read as UTF-8 whatever charset the Content-Type claims.

    `request.GET` is read in that charset, and fails on one that is no text encoding.
    """
    return QueryDict(request.META.get("QUERY_STRING", ""), encoding="utf-8")


def read_json(raw: bytes) -> Any:
    """Returns the document that `raw` holds. Raises InvalidRequest with what is wrong and where."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not UTF-8: byte {error.start} cannot be read.") from None
    if not text.strip():
        raise InvalidRequest("The body is empty; send a JSON object.")
    if text.startswith("\ufeff"):
        raise InvalidRequest("The body begins with a byte order mark; send it without.")
    _refuse_excess(text)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_build_object,
            parse_int=_read_integer,
            parse_float=_read_float,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidRequest(f"The body is not valid JSON: {error.msg} ({place}).") from None
    if "\\u" in text:
        # Only an escape can bring in what UTF-8 and JSON forbid outright.
        _refuse_unsafe_text(document)
    return document


def _refuse_excess(text: str) -> None:
    skeleton = _STRING.sub("", text)
    if skeleton.count(",") + skeleton.count("{") + skeleton.count("[") > MAX_VALUES:
        raise InvalidRequest(f"The body holds too much: at most {MAX_VALUES:,} values are taken.")
    depth = 0
    for bracket in re.sub(r"[^][{}]+", "", skeleton):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidRequest(f"The body is nested too deeply: at most {MAX_DEPTH} levels are taken.")


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) == len(pairs):
        return built
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise InvalidRequest(f"The body holds the member {json.dumps(name[:100])} twice in one object.")
        seen.add(name)
    return built


def _read_integer(digits: str) -> int:
    # The length first: turning a million digits into a number takes minutes.
    if len(digits) <= _LONGEST_INTEGER:
        number = int(digits)
        if -(2**63) <= number < 2**63:
            return number
    raise InvalidRequest("The body holds an integer that does not fit into 64 bits.")


def _read_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise InvalidRequest("The body holds a number that is too large.")
    return number


def _refuse_constant(name: str) -> None:
    raise InvalidRequest(f"The body is not valid JSON: {name} is not a JSON number.")


def _refuse_unsafe_text(document: Any) -> None:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if _UNSAFE.search(value):
                raise InvalidRequest("The body holds a NUL character or half of a surrogate pair in a text.")
        elif isinstance(value, dict):
            waiting.extend(value.keys())
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
