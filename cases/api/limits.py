"""How many requests a caller may make, counted over all web processes; must not know who the caller is.

One row of RequestAllowance a caller, and one statement that reads, judges and counts (the generic cell rate algorithm:
a bucket that holds what one window allows and drains evenly). Whoever keeps to the limit in every window, of 60 seconds
unless another is asked for, never meets it. All times are the database's, so that web processes whose clocks differ
agree.

A limit protects the service and is no part of it: when the database does not answer, nothing is refused here, and the
request meets its own error a moment later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django.db import Error, connection
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

# DRF's views load this module through its settings.
if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

# What was refused is refused again until its moment comes, without asking: a flood costs no statement.
_refused = LocMemCache("refused-callers", {"MAX_ENTRIES": 10_000})

# `excluded.empty_at - interval` is the present moment. A refusal writes nothing; the row is then locked to be read
# as it is, because the snapshot of this statement may be older than the requests that used the allowance up. More than
# a window's worth is never held, so what lies further ahead was written before the database's clock was set back. The
# second window is for a statement that waited for the row.
TAKE = """
WITH taken AS (
    INSERT INTO cases_requestallowance AS held (subject, empty_at)
    VALUES (%(subject)s, clock_timestamp() + %(interval)s::interval)
    ON CONFLICT (subject) DO UPDATE SET empty_at = CASE
        WHEN held.empty_at > excluded.empty_at + 2 * %(window)s::interval THEN excluded.empty_at
        ELSE greatest(held.empty_at + %(interval)s::interval, excluded.empty_at) END
     WHERE held.empty_at + %(interval)s::interval <= excluded.empty_at - %(interval)s::interval + %(window)s::interval
        OR held.empty_at > excluded.empty_at + 2 * %(window)s::interval
    RETURNING subject),
refused AS (
    SELECT empty_at FROM cases_requestallowance
     WHERE subject = %(subject)s AND NOT EXISTS (SELECT FROM taken) FOR NO KEY UPDATE)
SELECT NULL FROM taken
 UNION ALL
SELECT extract(epoch FROM empty_at + %(interval)s::interval - %(window)s::interval - clock_timestamp())::float8
  FROM refused
"""
CHECK = """
SELECT extract(epoch FROM empty_at + %(interval)s::interval - %(window)s::interval - clock_timestamp())::float8
  FROM cases_requestallowance WHERE subject = %(subject)s AND empty_at <= clock_timestamp() + 2 * %(window)s::interval
"""
GIVE_BACK = """
UPDATE cases_requestallowance SET empty_at = empty_at - %(interval)s::interval WHERE subject = %(subject)s
"""
# A refusal whose moment came while it was being answered.
SHORTEST_WAIT_S = 0.001


def take(subject: str, limit: int, window_s: int = 60) -> float:
    """Counts one request of `subject`. Returns 0.0, or the seconds to wait when it is refused and not counted.

    `limit` is the number of requests in `window_s` seconds; 0 means no limit. One statement in autocommit; none while
    an earlier refusal holds.
    """
    if limit == 0:
        return 0.0
    if wait := _get_remembered_wait(subject):
        return wait
    try:
        with connection.cursor() as cursor:
            cursor.execute(TAKE, _make_parameters(subject, limit, window_s))
            row = cursor.fetchone()
    except Error as error:
        logger.warning("a request could not be counted against its limit: %s", error)
        return 0.0
    if row is not None and row[0] is None:
        return 0.0
    # No row at all: the allowance began and was used up while this statement ran.
    return _remember(subject, window_s / limit if row is None else row[0])


def give_back(subject: str, limit: int, window_s: int = 60) -> None:
    """Makes one `take` of `subject` uncounted, for what turned out to be none of the limit's; not to be repeated."""
    with connection.cursor() as cursor:
        cursor.execute(GIVE_BACK, _make_parameters(subject, limit, window_s))


def forgive(subject: str) -> None:
    """Makes everything of `subject` uncounted; a second call changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM cases_requestallowance WHERE subject = %s", [subject])
    _refused.delete(subject)


def check(subject: str, limit: int) -> float:
    """Returns the seconds until `take` would count a request of `subject`, 0.0 for at once; counts nothing."""
    if limit == 0:
        return 0.0
    if wait := _get_remembered_wait(subject):
        return wait
    try:
        with connection.cursor() as cursor:
            cursor.execute(CHECK, _make_parameters(subject, limit, 60))
            row = cursor.fetchone()
    except Error as error:
        logger.warning("a limit could not be read: %s", error)
        return 0.0
    return _remember(subject, row[0]) if row is not None and row[0] > 0 else 0.0


def _make_parameters(subject: str, limit: int, window_s: int) -> dict[str, str]:
    # Rounded down: a microsecond too many would make the last request of a full window one too many.
    interval = f"{window_s * 1_000_000 // limit} microseconds"
    return {"subject": subject, "interval": interval, "window": f"{window_s} seconds"}


def _remember(subject: str, wait: float) -> float:
    seconds = max(wait, SHORTEST_WAIT_S)
    # By the monotonic clock, so that setting the host's clock back does not lock anybody out.
    _refused.set(subject, time.monotonic() + seconds, seconds)
    return seconds


def _get_remembered_wait(subject: str) -> float:
    until = _refused.get(subject)
    return 0.0 if until is None else max(0.0, until - time.monotonic())


class KeyThrottle(BaseThrottle):
    """Counts a request against its API key, after authentication (OFFLOAD_RATE_LIMIT_PER_KEY)."""

    _wait = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Returns whether the request may go on; one without a key (`request.auth`) is none of this limit's."""
        if request.auth is not None:
            self._wait = take(f"key:{request.auth}", settings.OFFLOAD_RATE_LIMIT_PER_KEY)
        return not self._wait

    def wait(self) -> float | None:
        return self._wait or None


def find_address(meta: Mapping[str, Any], trusted_proxies: int) -> str:
    """Returns the address that a request came from, as it is counted: an IPv4 address or an IPv6 /64.

    Each proxy in front appends to X-Forwarded-For the address that it was reached from, so that of
    `trusted_proxies` the outermost wrote the entry that stands so many places from the right. What stands
    further left is the caller's own invention. Without that entry, or when it is no address, it is the
    connection's address that counts.
    """
    forwarded = str(meta.get("HTTP_X_FORWARDED_FOR", "")).rsplit(",", trusted_proxies)
    if trusted_proxies and len(forwarded) >= trusted_proxies:
        address = _read_address(forwarded[-trusted_proxies])
        if address is not None:
            return address
    return _read_address(str(meta.get("REMOTE_ADDR", ""))) or "unknown"


def _read_address(text: str) -> str | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # One household or host has a /64 to itself, and could use another address for every request.
    return str(IPv6Network((int(address) >> 64 << 64, 64)))
