"""PURE: signs a webhook and checks a signature, by Standard Webhooks 1.0.0; must not read a setting or a table.

A secret is not stored anywhere: it is computed from the installation's key and a salt of its own (ADR 14).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from standardwebhooks import Webhook

PREFIX = "whsec_"
SALT_BYTES = 32
# What the reference libraries allow a clock to be wrong, both ways.
TOLERANCE = timedelta(minutes=5)
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")

# Keeps these secrets apart from everything else that is made of the same key.
_PURPOSE = b"offload webhook signing secret\x00"


def derive_secret(key: str, salt: bytes) -> str:
    """Returns the secret of a salt: `whsec_` and 32 bytes in Base64; the same for the same key and salt."""
    raw = hmac.digest(key.encode(), _PURPOSE + salt, "sha256")
    return PREFIX + base64.b64encode(raw).decode()


def get_fingerprint(secret: str) -> str:
    """Returns twelve characters by which people tell secrets apart, and from which no secret can be found."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


def sign(secrets: Sequence[str], *, event_id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """Returns the three headers of one attempt made at `moment` (UTC), with a signature for each secret.

    Whoever holds any one of the secrets finds their signature in the list; that is how one replaces another.
    """
    signatures = [Webhook(secret).sign(msg_id=event_id, timestamp=moment, data=body.decode()) for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def find_fault(secret: str, headers: Mapping[str, str], body: bytes, *, now: datetime) -> str | None:
    """Returns one sentence that says why a request is not to be believed, or None.

    The library's own `verify` answers each fault with the same exception, and some with other ones; a person who
    looks for the fault has to know which it is. `headers` are by lower-case name.
    """
    event_id, sent_at, signatures = (headers.get(name, "") for name in HEADERS)
    missing = [name for name, value in zip(HEADERS, (event_id, sent_at, signatures), strict=True) if not value]
    if len(missing) == len(HEADERS):
        return "It is not signed: signing is off for this client."
    if missing:
        return f"The header {missing[0]} is missing."
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        return "webhook-timestamp is not a number of seconds."
    off = timedelta(seconds=int(sent_at) - now.timestamp())
    try:
        expected = _sign_text(secret, f"{event_id}.{sent_at}.".encode() + body)
    except (binascii.Error, ValueError):
        return "The secret is not whsec_ and Base64."
    given = [value for version, _, value in (item.partition(",") for item in signatures.split()) if version == "v1"]
    if not any(hmac.compare_digest(expected.encode(), value.encode()) for value in given):
        return "No signature fits: another secret signed it, or the body was changed on its way."
    if abs(off) > TOLERANCE:
        which = "behind" if off < timedelta(0) else "ahead of"
        return f"webhook-timestamp is {abs(off.total_seconds()):.0f} s {which} this clock; at most 300 s are allowed."
    return None


def _sign_text(secret: str, text: bytes) -> str:
    # Not the library's: it takes text, and a body that is no UTF-8 must be told from one that was changed.
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    if not key:
        raise ValueError("empty")
    return base64.b64encode(hmac.digest(key, text, "sha256")).decode()
