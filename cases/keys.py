"""PURE: the form of an API key, its digest, and whether it is worth anything; must not touch the database.

A key is `off_<8>_<43>`: eight characters that staff may see, then 256 random bits.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime
from enum import StrEnum

_FORM = re.compile(r"off_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}")
_PREFIX_LENGTH = len("off_") + 8


def make_key() -> str:
    """Returns a new random key; the caller must show it once and keep only `get_prefix` and `get_digest`."""
    return f"off_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def is_well_formed(text: str) -> bool:
    """Whether `text` could be a key at all; False for anything that is not plain ASCII of the exact form."""
    return _FORM.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """Whether `text` has the form of what staff see of a key: `off_` and eight characters."""
    return re.fullmatch(r"off_[A-Za-z0-9]{8}", text) is not None


def get_prefix(key: str) -> str:
    """Returns the part of a well-formed key that may be shown to staff: `off_` and eight characters."""
    return key[:_PREFIX_LENGTH]


def get_digest(key: str) -> str:
    """Returns the SHA-256 of `key` in hexadecimal.

    Unsalted and fast on purpose: a key carries 256 random bits, so there is nothing to guess, and the
    digest has to be found by an index.
    """
    return hashlib.sha256(key.encode()).hexdigest()


class KeyState(StrEnum):
    """What a stored key is worth; only ACTIVE opens the API."""

    ACTIVE = "active"
    # For good, by `manage.py revoke_key` or in the admin.
    REVOKED = "revoked"
    EXPIRED = "expired"
    # The key, or its client, is switched off and may be switched on again.
    OFF = "off"
    CLIENT_OFF = "client off"


def judge_key(
    *, is_active: bool, is_client_active: bool, revoked_at: datetime | None, expires_at: datetime | None, now: datetime
) -> KeyState:
    """Returns the state of a key at `now`; where several would do, the one that can least be mended.

    A key is worth nothing from the very moment of `expires_at` on.
    """
    if revoked_at is not None:
        return KeyState.REVOKED
    if expires_at is not None and expires_at <= now:
        return KeyState.EXPIRED
    if not is_active:
        return KeyState.OFF
    return KeyState.ACTIVE if is_client_active else KeyState.CLIENT_OFF
