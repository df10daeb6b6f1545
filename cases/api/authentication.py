"""Says which client a request comes from, by its x-api-key; must not tell a stranger whether a key exists for free.

Only failures are counted against the address that a request comes from (OFFLOAD_RATE_LIMIT_PER_IP): an office with
many clients behind one address pays nothing for valid keys. An address at its limit is refused before its key is looked
at. Only a key that this process has accepted within the last hour passes, so that a guesser, or one application with a
revoked key, does not shut out its neighbours.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django.db import Error
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.request import Request

from cases import credentials, keys
from cases.api import limits
from cases.credentials import KnownKey
from cases.models import Client

logger = logging.getLogger(__name__)

# A key that was revoked or switched off is refused after at most this time, in every web process.
SECONDS_REMEMBERED = 10
# For so long a key that was valid is no guess.
SECONDS_PROVEN = 3600
# By digest: what was found, and when. Unknown keys are not remembered, so that a key works from the moment it is
# made and strangers cannot fill the memory.
_accepted = LocMemCache("api-keys", {"TIMEOUT": SECONDS_PROVEN, "MAX_ENTRIES": 10_000})


@dataclass(frozen=True, slots=True)
class Principal:
    """The client behind a request; DRF calls it the user."""

    client: Client
    is_authenticated: bool = True


class ApiKeyAuthentication(BaseAuthentication):
    """Takes the header x-api-key (docs/api/keys-and-limits.md)."""

    def authenticate(self, request: Request) -> tuple[Principal, int]:
        """Returns the client, and the id of its key as `request.auth`.

        Raises AuthenticationFailed (401) for no key and an unknown one, PermissionDenied (403) for one that is
        revoked, expired or off, Throttled (429) for an address with too many of these.

        No statement while the key is remembered. Otherwise one, and one more each when the key was not accepted
        before in this process, and when its `last_used_at` is a minute old: in constant use that time is at most
        70 s behind, and a use within a minute of the one before may not show.
        """
        now = timezone.now()
        key = request.META.get("HTTP_X_API_KEY", "")
        subject = f"ip:{limits.find_address(request.META, settings.OFFLOAD_TRUSTED_PROXIES)}"
        if not keys.is_well_formed(key):
            _refuse(None, subject)
        digest = keys.get_digest(key)
        accepted: tuple[KnownKey, datetime] | None = _accepted.get(digest)
        if accepted is not None and _is_fresh(*accepted, now):
            return _make_answer(accepted[0])
        if accepted is None and (wait := limits.check(subject, settings.OFFLOAD_RATE_LIMIT_PER_IP)):
            raise Throttled(wait)
        known = credentials.find_key(key, now)
        if known is None or known.state != keys.KeyState.ACTIVE:
            _accepted.delete(digest)
            _refuse(known, subject)
        _accepted.set(digest, (known, now))
        _note_use(known, now)
        return _make_answer(known)

    def authenticate_header(self, request: Request) -> str:
        """Names the scheme; without it DRF would answer 403 where the contract says 401."""
        return "ApiKey"


def _is_fresh(known: KnownKey, looked_up_at: datetime, now: datetime) -> bool:
    """Whether a remembered key may be used unasked; never at or after its expiry."""
    is_recent = timedelta() <= now - looked_up_at < timedelta(seconds=SECONDS_REMEMBERED)
    return is_recent and (known.expires_at is None or now < known.expires_at)


def _make_answer(known: KnownKey) -> tuple[Principal, int]:
    return Principal(Client(id=known.client_id, name=known.client_name)), known.key_id


def _note_use(known: KnownKey, now: datetime) -> None:
    try:
        credentials.note_use(known, now)
    except Error as error:
        logger.warning("the use of API key %s could not be noted: %s", known.key_id, error)


def _refuse(known: KnownKey | None, subject: str) -> NoReturn:
    """Counts the failure and raises it, or raises Throttled when there were too many."""
    if wait := limits.take(subject, settings.OFFLOAD_RATE_LIMIT_PER_IP):
        raise Throttled(wait)
    if known is None:
        raise AuthenticationFailed
    raise PermissionDenied(_explain(known))


def _explain(known: KnownKey) -> str:
    """Returns the sentence that a client reads about its key, which is not active."""
    match known.state:
        case keys.KeyState.REVOKED:
            return "This API key was revoked."
        case keys.KeyState.EXPIRED if known.expires_at is not None:
            return f"This API key expired at {known.expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}."
        case keys.KeyState.CLIENT_OFF:
            return "The client of this API key is not active."
    return "This API key is not active."
