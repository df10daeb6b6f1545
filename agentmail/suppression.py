"""Which addresses get no more mail; must not judge whose mail it was."""

from datetime import datetime
from uuid import UUID

from agentmail.cleaning import clean_text
from agentmail.models import DeclinedAddress, SuppressedAddress


def is_suppressed(address: str) -> bool:
    """Returns whether the address gets no more mail; upper and lower case are one address."""
    return SuppressedAddress.objects.filter(address=_fold(address)).exists()


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


def _fold(address: str) -> str:
    return clean_text(address).strip().lower()
