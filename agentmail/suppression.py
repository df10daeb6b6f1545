"""Which addresses get no more mail; must not judge whose mail it was."""

from datetime import datetime

from agentmail.cleaning import clean_text
from agentmail.models import SuppressedAddress


def is_suppressed(address: str) -> bool:
    """Returns whether the address gets no more mail; upper and lower case are one address."""
    return SuppressedAddress.objects.filter(address=_fold(address)).exists()


def suppress(address: str, reason: str, detail: str, now: datetime) -> None:
    """Stops mail to the address from `now` on. The first reason stays when it is stopped already."""
    row = SuppressedAddress(address=_fold(address), reason=reason, detail=clean_text(detail), created_at=now)
    SuppressedAddress.objects.bulk_create([row], ignore_conflicts=True)


def _fold(address: str) -> str:
    return clean_text(address).strip().lower()
