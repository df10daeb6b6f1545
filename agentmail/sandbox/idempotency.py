"""The Idempotency-Key of the provider's send calls; must not send anything itself."""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from agentmail.sandbox.clock import Moment
from agentmail.sandbox.models import IdempotencyRecord, Message

KEY_LIFETIME = timedelta(hours=24)

_KEY = re.compile(r"[A-Za-z0-9._~-]{1,256}")


class KeyInFlightError(Exception):
    """Another request with this key is still running."""


class KeyReusedError(Exception):
    """The key stands for another request."""


@dataclass(frozen=True)
class SentIds:
    """What a send call answers."""

    message_id: str
    thread_id: str


def is_valid_key(key: str) -> bool:
    """Tells whether the header's value is 1 to 256 characters of `A-Za-z0-9-._~`."""
    return _KEY.fullmatch(key) is not None


def make_fingerprint(endpoint: tuple[str, ...], body: bytes) -> str:
    """Returns what identifies the request: its endpoint, ids decoded, and its body byte for byte."""
    digest = hashlib.sha256()
    for part in endpoint:
        digest.update(part.encode() + b"\0")
    digest.update(body)
    return digest.hexdigest()


def find_answer(key: str, fingerprint: str, at: Moment) -> SentIds | None:
    """Returns the first answer given to this key, or None when the caller is the first and must `record_answer`.

    Call it inside a transaction: it holds the key until that ends. Raises KeyInFlightError and KeyReusedError.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"sandbox:{key}"])
        if not cursor.fetchone()[0]:
            raise KeyInFlightError
    record = IdempotencyRecord.objects.filter(key=key).first()
    if record is None:
        return None
    if at.provider - record.completed_at >= KEY_LIFETIME:
        record.delete()
        return None
    if record.fingerprint != fingerprint:
        raise KeyReusedError
    if record.running_until is not None and record.running_until > at.real:
        raise KeyInFlightError
    return SentIds(message_id=record.message_id, thread_id=record.thread_id)


def record_answer(key: str, fingerprint: str, message: Message, at: Moment, running_seconds: float) -> None:
    """Stores what the key answers from now on; for `running_seconds` more it still counts as running."""
    IdempotencyRecord.objects.create(
        key=key,
        fingerprint=fingerprint,
        message_id=message.message_id,
        thread_id=str(message.thread.thread_id),
        completed_at=at.provider,
        running_until=at.real + timedelta(seconds=running_seconds) if running_seconds else None,
    )
