"""PURE: the form of an API key, and the digest that is all we keep of one; must not touch the database.

A key is `off_<8>_<43>`: eight characters that staff may see, then 256 random bits.
"""

from __future__ import annotations

import hashlib
import re
import secrets

_FORM = re.compile(r"off_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}")
_PREFIX_LENGTH = len("off_") + 8


def make_key() -> str:
    """Returns a new random key; the caller must show it once and keep only `get_prefix` and `get_digest`."""
    return f"off_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def is_well_formed(text: str) -> bool:
    """Whether `text` could be a key at all; False for anything that is not plain ASCII of the exact form."""
    return _FORM.fullmatch(text) is not None


def get_prefix(key: str) -> str:
    """Returns the part of a well-formed key that may be shown to staff: `off_` and eight characters."""
    return key[:_PREFIX_LENGTH]


def get_digest(key: str) -> str:
    """Returns the SHA-256 of `key` in hexadecimal.

    Unsalted and fast on purpose: a key carries 256 random bits, so there is nothing to guess, and the
    digest has to be found by an index.
    """
    return hashlib.sha256(key.encode()).hexdigest()
