"""Reads the query of `GET /cases` and finds the page it asks for; must not count rows or change one.

The order is newest first by (created_at, id), whatever is filtered: a case never changes its place while a client
turns pages, so nothing is skipped or shown twice.
"""

from __future__ import annotations

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import BooleanField, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower
from django.http import QueryDict
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework.exceptions import ValidationError

from cases.api.errors import make_validation_error
from cases.api.fields import AddressField, LineField
from cases.models import Attachment, Case, Client, InputRequest
from cases.representation import represent_case
from cases.workflow import Status

DEFAULT_LIMIT = 25
MAX_LIMIT = 100
LATEST_MS = 253402300799999  # the end of the year 9999, the last moment that a datetime holds
# What `expand` may add to a case, and the columns behind it.
EXPANDABLE = {"metadata": "metadata", "failureReason": "failure_reason"}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"[A-Za-z0-9_-]{43}")
_PLACE = struct.Struct(">q16s")

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the last case shown."""

    created_at: datetime
    case_id: UUID


@dataclass(frozen=True, slots=True)
class Listing:
    """A validated query of `GET /cases`. Times are Unix ms; None or nothing: no such filter."""

    statuses: frozenset[str] = frozenset()
    client_reference_id: str | None = None
    created_after: int | None = None
    created_before: int | None = None
    updated_after: int | None = None
    counterparty: str | None = None
    limit: int = DEFAULT_LIMIT
    cursor: Place | None = None
    expand: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """cases: as clients see them. next_cursor: None on the last page."""

    cases: list[dict[str, Any]]
    next_cursor: str | None


# -- From the query


def read_listing(query: QueryDict) -> Listing:
    """Returns what a query of `GET /cases` asks for; parameters that are not known are ignored.

    `createdAfter`, `createdBefore` and `updatedAfter` are exclusive, and compare the milliseconds that the API shows:
    a case's own `createdAt` leaves that case out. `counterparty` is a whole address in any case of its letters.
    Raises InvalidRequest with all faults at once.
    """
    given: dict[str, Any] = {}
    faults: dict[str, Any] = {}
    for parameter, (name, read) in _PARAMETERS.items():
        values = query.getlist(parameter)
        if not values:
            continue
        try:
            given[name] = read(values)
        except ValidationError as error:
            faults[parameter] = error.detail
    if faults:
        raise make_validation_error(faults)
    return Listing(**given)


def read_expand(query: QueryDict) -> frozenset[str]:
    """Returns the members that `expand` asks for, comma separated or repeated. Raises InvalidRequest for another."""
    try:
        return _read_expand(query.getlist("expand"))
    except ValidationError as error:
        raise make_validation_error({"expand": error.detail}) from None


def _read_expand(values: list[str]) -> frozenset[str]:
    wanted = frozenset(member for value in values for member in value.split(","))
    if not wanted <= EXPANDABLE.keys():
        raise ValidationError("must be metadata or failureReason, or both, separated by a comma")
    return wanted


def _read_statuses(values: list[str]) -> frozenset[str]:
    wanted = frozenset(values)
    if not wanted <= set(Status):
        raise ValidationError(
            "must be CREATED, RUNNING, INPUT_NEEDED, COMPLETED or FAILED; repeat the parameter for several"
        )
    return wanted


def _read_milliseconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text) or int(text) > LATEST_MS:
        raise ValidationError(f"must be Unix milliseconds, an integer from 0 to {LATEST_MS}")
    return int(text)


def _read_limit(text: str) -> int:
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise ValidationError(f"must be an integer from 1 to {MAX_LIMIT}")
    return int(text)


def _read_cursor(text: str) -> Place:
    if _CURSOR.fullmatch(text):
        microseconds, identity = _PLACE.unpack_from(urlsafe_b64decode(f"{text}="))
        # The whole text is compared, as the last letter of a Base64 text has bits that mean nothing.
        if constant_time_compare(_write_cursor(microseconds, identity), text):
            return Place(_EPOCH + timedelta(microseconds=microseconds), UUID(bytes=identity))
    raise ValidationError("must be the nextCursor of an earlier page, unchanged")


def _once(read: Callable[[str], Read]) -> Callable[[list[str]], Read]:
    def read_values(values: list[str]) -> Read:
        if len(values) > 1:
            raise ValidationError("must be given only once")
        return read(values[0])

    return read_values


# Each parameter, the member of Listing that it fills, and what reads its values.
_PARAMETERS: dict[str, tuple[str, Callable[[list[str]], Any]]] = {
    "status": ("statuses", _read_statuses),
    "clientReferenceId": ("client_reference_id", _once(LineField(max_length=500).run_validation)),
    "createdAfter": ("created_after", _once(_read_milliseconds)),
    "createdBefore": ("created_before", _once(_read_milliseconds)),
    "updatedAfter": ("updated_after", _once(_read_milliseconds)),
    "counterparty": ("counterparty", _once(AddressField().run_validation)),
    "limit": ("limit", _once(_read_limit)),
    "cursor": ("cursor", _once(_read_cursor)),
    "expand": ("expand", _read_expand),
}


def make_cursor(place: Place) -> str:
    """Returns 43 URL-safe letters that lead back to the place, to the microsecond.

    They are signed, so that one which was cut or changed is refused instead of leading somewhere else.
    """
    return _write_cursor((place.created_at - _EPOCH) // timedelta(microseconds=1), place.case_id.bytes)


def _write_cursor(microseconds: int, identity: bytes) -> str:
    packed = _PLACE.pack(microseconds, identity)
    signature = salted_hmac("cases.api.listing", packed, algorithm="sha256").digest()[:8]
    return urlsafe_b64encode(packed + signature).rstrip(b"=").decode()


# -- From the database


def find_page(client: Client, wanted: Listing) -> Page:
    """Returns a page of the client's own cases; three statements at most, however many cases there are.

    One row more than the page is read, and tells whether there is another page.
    """
    hidden = [column for member, column in EXPANDABLE.items() if member not in wanted.expand]
    found = list(select_cases(client, wanted).defer(*hidden)[: wanted.limit + 1])
    shown = found[: wanted.limit]
    is_last = len(found) <= wanted.limit
    return Page(
        cases=_represent(shown, wanted.expand),
        next_cursor=None if is_last else make_cursor(Place(shown[-1].created_at, shown[-1].id)),
    )


def select_cases(client: Client, wanted: Listing) -> QuerySet[Case]:
    """Returns all of the client's cases that `wanted` lets through, from its cursor on, newest first."""
    # `= ANY` and the client in the order, though it is one client: with a plain `=` PostgreSQL takes the client out of
    # the order and may walk the newest cases of everybody, which for a client without recent ones means all of them.
    is_own = RawSQL("cases_case.client_id = ANY(%s)", [[client.pk]], output_field=BooleanField())
    return _filter(Case.objects.filter(is_own), wanted).order_by("client_id", "-created_at", "-id")


def _filter(cases: QuerySet[Case], wanted: Listing) -> QuerySet[Case]:
    if wanted.statuses:
        cases = cases.filter(status__in=sorted(wanted.statuses))
    if wanted.client_reference_id is not None:
        cases = cases.filter(client_reference_id=wanted.client_reference_id)
    if wanted.created_after is not None:
        cases = cases.filter(created_at__gt=_end_of(wanted.created_after))
    if wanted.created_before is not None:
        cases = cases.filter(created_at__lt=_start_of(wanted.created_before))
    if wanted.updated_after is not None:
        cases = cases.filter(updated_at__gt=_end_of(wanted.updated_after))
    if wanted.counterparty is not None:
        # Both sides by the database, which has an index on exactly this expression.
        cases = cases.alias(lower_address=Lower("counterparty_address")).filter(
            lower_address=Lower(Value(wanted.counterparty))
        )
    if wanted.cursor is not None:
        last = wanted.cursor
        # The first condition is what the index can start at; the second settles cases of the same microsecond.
        cases = cases.filter(
            Q(created_at__lte=last.created_at) & (Q(created_at__lt=last.created_at) | Q(id__lt=last.case_id))
        )
    return cases


def _start_of(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _end_of(milliseconds: int) -> datetime:
    """Returns the last microsecond that the API shows as this millisecond."""
    return _EPOCH + timedelta(milliseconds=milliseconds, microseconds=999)


def _represent(cases: Iterable[Case], expand: frozenset[str]) -> list[dict[str, Any]]:
    attachments: dict[UUID, list[Attachment]] = {case.id: [] for case in cases}
    if not attachments:
        return []
    for attachment in Attachment.objects.filter(case_id__in=list(attachments)):
        attachments[attachment.case_id].append(attachment)
    newest = InputRequest.objects.filter(case_id__in=list(attachments)).order_by("case_id", "-requested_at", "-id")
    questions = {question.case_id: question for question in newest.distinct("case_id")}
    return [represent_case(case, attachments[case.id], questions.get(case.id), expand) for case in cases]
