"""Says which client a request comes from, by its x-api-key; must not write to the database.

`last_used_at` is not written here: a second row in every request costs more than it tells.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.cache.backends.locmem import LocMemCache
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from cases import keys
from cases.models import ApiKey, Client

# A key that was switched off is refused after at most this time, in every web process.
SECONDS_REMEMBERED = 10
_valid_keys = LocMemCache("api-keys", {"TIMEOUT": SECONDS_REMEMBERED, "MAX_ENTRIES": 1000})


@dataclass(frozen=True, slots=True)
class Principal:
    """The client behind a request; DRF calls it the user."""

    client: Client
    is_authenticated: bool = True


class ApiKeyAuthentication(BaseAuthentication):
    """Takes the header x-api-key (docs/api.md)."""

    def authenticate(self, request: Request) -> tuple[Principal, None]:
        """Returns the client. Raises AuthenticationFailed (401), or PermissionDenied (403) for a key that is off.

        One query, or none when the key was valid within the last 10 s. Unknown keys are not remembered, so
        that a key works from the moment it is made and strangers cannot fill the memory.
        """
        key = request.META.get("HTTP_X_API_KEY", "")
        if not keys.is_well_formed(key):
            raise AuthenticationFailed
        digest = keys.get_digest(key)
        known = _valid_keys.get(digest)
        if known is None:
            known = _find_client(digest)
            _valid_keys.set(digest, known)
        client_id, name = known
        return Principal(Client(id=client_id, name=name)), None

    def authenticate_header(self, request: Request) -> str:
        """Names the scheme; without it DRF would answer 403 where the contract says 401."""
        return "ApiKey"


def _find_client(digest: str) -> tuple[object, str]:
    row = (
        ApiKey.objects.filter(digest=digest)
        .order_by()
        .values_list("client_id", "client__name", "is_active", "client__is_active")
        .first()
    )
    if row is None:
        raise AuthenticationFailed
    client_id, name, is_active, is_client_active = row
    if not (is_active and is_client_active):
        raise PermissionDenied("This API key is not active.")
    return client_id, name
