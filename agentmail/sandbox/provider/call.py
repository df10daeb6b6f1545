"""One call of the provider's API as its handlers see it: decoded path, body, query; must not answer anything."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from pydantic import BaseModel

from agentmail.sandbox.clock import Moment
from agentmail.sandbox.jsontext import BadBodyError, check_object, read_object
from agentmail.sandbox.provider.errors import ProviderError, not_found, parameter_error, validation_error

MAX_BODY_BYTES = 25_000_000
DEFAULT_LIMIT = 20
MAX_LIMIT = 100

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """One authenticated call; `segments` are the path's after `/v0/`, split first and decoded after."""

    request: HttpRequest
    segments: tuple[str, ...]
    body: bytes
    at: Moment

    def read_body(self, model: type[Model]) -> Model:
        """Returns the body as its model; raises the provider's 400."""
        try:
            return check_object(read_object(self.body), model)
        except BadBodyError as fault:
            raise validation_error(fault) from None

    def texts(self, name: str) -> list[str]:
        """Returns a list parameter in any of its forms: a JSON array, repeated, or separated by commas."""
        found: list[str] = []
        for value in self.request.GET.getlist(name):
            found.extend(_read_list(value))
        return found

    def flag(self, name: str) -> bool:
        """Returns a boolean parameter; absent is False."""
        value = self.request.GET.get(name, "false").lower()
        if value not in ("true", "false", "1", "0"):
            raise parameter_error(name, "must be true or false")
        return value in ("true", "1")

    def limit(self) -> int:
        """Returns how many entries a page has, 20 unless asked for, at most 100."""
        value = self.request.GET.get("limit", str(DEFAULT_LIMIT))
        if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= MAX_LIMIT:
            raise parameter_error("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
        return int(value)

    def moment(self, name: str) -> datetime | None:
        """Returns an ISO 8601 parameter with its offset, or None when absent."""
        value = self.request.GET.get(name)
        if value is None:
            return None
        try:
            moment = parse_datetime(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise parameter_error(name, "must be an ISO 8601 time with an offset")
        return moment


def read_body_bytes(request: HttpRequest) -> bytes:
    """Returns the body, at most 25 MB; raises the provider's 413.

    It reads the stream itself because `request.body` stops at Django's limit for forms.
    """
    body = request.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise ProviderError(413, "PayloadTooLargeError", "payload_too_large", "The body is larger than 25 MB")
    return body


def read_segments(request: HttpRequest, marker: str) -> tuple[str, ...]:
    """Returns the path's segments after `marker`, decoded one by one; refuses NUL in path and query.

    A message id may hold `/`, which only the path as it was sent tells from a separator. gunicorn gives that as
    RAW_URI; a server that does not give it has decoded the path, and then ids with `/` are not found.
    """
    raw = request.META.get("RAW_URI") or request.META.get("REQUEST_URI")
    path = urlsplit(raw).path if raw else request.path
    rest = path.partition(marker)[2]
    segments = tuple(unquote(segment) if raw else segment for segment in rest.strip("/").split("/"))
    # PostgreSQL cannot even be asked for a text with NUL.
    if any("\x00" in segment for segment in segments):
        raise not_found("Route")
    for name, values in request.GET.lists():
        if any("\x00" in text for text in [name, *values]):
            raise parameter_error(name.replace("\x00", ""), "must not contain NUL")
    return segments


def _read_list(value: str) -> list[str]:
    if value.startswith("["):
        try:
            found = json.loads(value)
        except json.JSONDecodeError:
            found = None
        if isinstance(found, list) and all(isinstance(entry, str) for entry in found):
            return found
    return [entry.strip() for entry in value.split(",") if entry.strip()]
