"""Which addresses get no more mail; must not judge whose mail it was."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac

from agentmail.cleaning import clean_text
from agentmail.models import DeclinedAddress, ErasedAddress, SuppressedAddress


class Closure(StrEnum):
    """Why an address gets no mail of one sender: it failed for everybody, or it has asked this one."""

    SUPPRESSED = "suppressed"
    DECLINED = "declined"


def find_closure(address: str, scope: UUID) -> Closure | None:
    """Returns why this sender's mail must not go to the address, or None; `is_suppressed` before `has_declined`."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND_CLOSURE, {"address": _fold(address), "scope": scope, "digests": _digest(address)})
        is_suppressed, has_declined = cursor.fetchone()
    if is_suppressed:
        return Closure.SUPPRESSED
    return Closure.DECLINED if has_declined else None


_FIND_CLOSURE = """
    SELECT EXISTS (SELECT 1 FROM agentmail_suppressedaddress WHERE address = %(address)s)
           OR EXISTS (SELECT 1 FROM agentmail_erasedaddress WHERE digest = ANY(%(digests)s)),
           EXISTS (SELECT 1 FROM agentmail_declinedaddress WHERE scope = %(scope)s AND address = %(address)s)
"""


def is_suppressed(address: str) -> bool:
    """Returns whether the address gets no more mail; upper and lower case are one address."""
    return (
        SuppressedAddress.objects.filter(address=_fold(address)).exists()
        or ErasedAddress.objects.filter(digest__in=_digest(address)).exists()
    )


def suppress(address: str, reason: str, detail: str, now: datetime) -> None:
    """Stops mail to the address from `now` on. The first reason stays when it is stopped already."""
    row = SuppressedAddress(address=_fold(address), reason=reason, detail=clean_text(detail), created_at=now)
    SuppressedAddress.objects.bulk_create([row], ignore_conflicts=True)


def has_declined(address: str, scope: UUID) -> bool:
    """Returns whether the address has asked this sender not to be written to again."""
    return DeclinedAddress.objects.filter(scope=scope, address=_fold(address)).exists()


def decline(address: str, scope: UUID, detail: str, now: datetime) -> None:
    """Stops this sender's mail to the address from `now` on; others may go on. The first request stays."""
    row = DeclinedAddress(scope=scope, address=_fold(address), detail=clean_text(detail), created_at=now)
    DeclinedAddress.objects.bulk_create([row], ignore_conflicts=True)


def keep_digest_only(address: str, now: datetime) -> int:
    """Takes the address out of both lists and leaves its keyed digest, which stops all mail to it for good.

    Returns how many rows held it. A second call changes nothing.
    """
    digest = ErasedAddress(digest=_digest(address)[0], created_at=now)
    ErasedAddress.objects.bulk_create([digest], ignore_conflicts=True)
    removed = SuppressedAddress.objects.filter(address=_fold(address)).delete()[0]
    return removed + DeclinedAddress.objects.filter(address=_fold(address)).delete()[0]


def _digest(address: str) -> list[str]:
    """Returns the address's digest under Django's key, and under each key before it that the settings still name."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [
        salted_hmac("offload.erased-address", _fold(address), secret=key, algorithm="sha256").hexdigest()
        for key in keys
    ]


def _fold(address: str) -> str:
    return clean_text(address).strip().lower()
