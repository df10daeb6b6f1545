"""Gives a repeated request its first answer again, by the header Idempotency-Key; must not know what a request does.

The answer is kept in the transaction of the request's effects: both stand or neither. So a crash before the commit
leaves a key as if it had never been used, and an answer that was lost after it is repeated.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.http import HttpResponse
from django.utils.encoding import force_bytes
from rest_framework.request import Request
from rest_framework.response import Response

from cases.api.errors import ApiError, make_validation_error

KEPT_FOR = timedelta(hours=24)
RETRY_AFTER_SECONDS = 1
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class KeyInProgress(ApiError):
    """409 IDEMPOTENCY_KEY_IN_PROGRESS; its answer carries Retry-After."""

    def __init__(self) -> None:
        message = "The first request with this Idempotency-Key is still running; send this one again in a second."
        super().__init__(409, "IDEMPOTENCY_KEY_IN_PROGRESS", message)


class KeyReused(ApiError):
    """422 IDEMPOTENCY_KEY_REUSED."""

    def __init__(self) -> None:
        message = (
            "This Idempotency-Key was used for another request within 24 hours; send a new key with a new request."
        )
        super().__init__(422, "IDEMPOTENCY_KEY_REUSED", message)


class _KeptMeanwhile(Exception):
    """Another request with the key was answered after this one had looked; what this one did must not stand."""


@dataclass(frozen=True, slots=True)
class _Identity:
    """A request under a key. oldest: answers that were kept at this time or before are forgotten."""

    client_id: UUID
    key: str
    request_hash: str
    now: datetime

    @property
    def oldest(self) -> datetime:
        return self.now - KEPT_FOR

    @property
    def lock(self) -> int:
        """A number for an advisory lock: 64 bits, signed. Two keys on one number would only wait for each other."""
        digest = hashlib.sha256(f"idempotency {self.client_id} {self.key}".encode()).digest()
        return int.from_bytes(digest[:8], signed=True)


def answer_once(
    request: Request, client_id: UUID, act: Callable[[], Response], *, now: datetime
) -> Response | HttpResponse:
    """Returns what `act` answers; with an Idempotency-Key, the first answer to the same request of 24 hours.

    `act` runs in a transaction with the record of its answer and must make no network call in it. It may run a second
    time, after what it did was rolled back. What it raises is never kept. Costs two statements when the header is
    there. Raises InvalidRequest for a bad key, KeyReused (422) for a key of another request, and KeyInProgress (409)
    while the first request is running.
    """
    if "HTTP_IDEMPOTENCY_KEY" not in request.META:
        return act()
    # The body is read here: a client that sends slowly must not hold a transaction open.
    identity = _Identity(client_id, _read_key(request), _hash_request(request), now)
    try:
        return _answer(request, identity, act)
    except _KeptMeanwhile:
        return _answer(request, identity, act)


def _read_key(request: Request) -> str:
    key: str = request.META["HTTP_IDEMPOTENCY_KEY"]
    if not _KEY.fullmatch(key) or not key.strip():
        raise make_validation_error({"Idempotency-Key": ["must be 1 to 255 printable ASCII characters"]})
    return key


def _hash_request(request: Request) -> str:
    return hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body).hexdigest()


def _answer(request: Request, identity: _Identity, act: Callable[[], Response]) -> HttpResponse:
    with transaction.atomic():
        kept = _lock_and_look_up(identity)
        if kept is not None:
            return kept
        response = act()
        # Rendered here, so that what is kept and what is sent are the same bytes.
        body = force_bytes(request.accepted_renderer.render(response.data, request.accepted_media_type))
        _keep(identity, response.status_code, body)
    return _make_response(response.status_code, body)


def _make_response(status: int, body: bytes) -> HttpResponse:
    return HttpResponse(body, status=status, content_type="application/json")


def _lock_and_look_up(identity: _Identity) -> HttpResponse | None:
    """Returns the answer that was kept, or None: then the key is this transaction's until its end.

    The statement sees the rows of the moment it began, so that a request which ends between that moment and the lock
    is missed here; `_keep` notices.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT pg_try_advisory_xact_lock(%(lock)s), kept.request_hash, kept.status, kept.body
              FROM (VALUES (1)) AS one LEFT JOIN cases_idempotentanswer AS kept
                ON kept.client_id = %(client)s AND kept.key = %(key)s AND kept.created_at > %(oldest)s
            """,
            {"lock": identity.lock, "client": identity.client_id, "key": identity.key, "oldest": identity.oldest},
        )
        row: tuple[bool, str | None, Any, Any] = cursor.fetchone()
    is_mine, request_hash, status, body = row
    if request_hash is None:
        if not is_mine:
            raise KeyInProgress
        return None
    if request_hash != identity.request_hash:
        raise KeyReused
    response = _make_response(status, body.encode())
    response["Idempotency-Replayed"] = "true"
    return response


def _keep(identity: _Identity, status: int, body: bytes) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO cases_idempotentanswer AS kept (client_id, key, request_hash, status, body, created_at)
            VALUES (%(client)s, %(key)s, %(hash)s, %(status)s, %(body)s, %(now)s)
            ON CONFLICT (client_id, key) DO UPDATE
               SET request_hash = excluded.request_hash, status = excluded.status, body = excluded.body,
                   created_at = excluded.created_at
             WHERE kept.created_at <= %(oldest)s
            """,
            {
                "client": identity.client_id,
                "key": identity.key,
                "hash": identity.request_hash,
                "status": status,
                "body": body.decode(),
                "now": identity.now,
                "oldest": identity.oldest,
            },
        )
        if cursor.rowcount == 0:
            raise _KeptMeanwhile
