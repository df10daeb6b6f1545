"""Clients and their API keys: made, listed, revoked, seen in use; must not keep or show a key after it was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from cases import keys
from cases.models import ApiKey, Client

MAX_NAME = 200
# A busy key's row is written this often, and not once a request.
USE_IS_NOTED_EVERY = timedelta(seconds=60)

# A key whose row somebody else holds is left alone: no request waits for a date that staff may look at.
NOTE_USE = """
UPDATE cases_apikey SET last_used_at = %(now)s
 WHERE id = (SELECT id FROM cases_apikey
              WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at < %(before)s)
                FOR NO KEY UPDATE SKIP LOCKED)
"""


class CredentialRefused(Exception):
    """Nothing was changed; the message is one sentence for whoever typed the command."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: the only moment at which its text is known."""

    row: ApiKey
    key: str


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A stored key with what it is worth at one moment."""

    key_id: int
    client_id: UUID
    client_name: str
    state: keys.KeyState
    expires_at: datetime | None
    last_used_at: datetime | None


def create_client(name: str, *, key_name: str, expires_at: datetime | None, now: datetime) -> NewKey:
    """Makes a client with its first key. Raises CredentialRefused for a name that is taken or cannot be read."""
    client_name = _check_name(name, "The client's name")
    checked_key_name = _check_name(key_name, "The key's name")
    try:
        with transaction.atomic():
            client = Client.objects.create(name=client_name)
            return _store_key(client, checked_key_name, expires_at, now)
    except IntegrityError:
        raise CredentialRefused(f'There is a client called "{client_name}" already; choose another name.') from None


def create_key(client: Client, *, name: str | None, expires_at: datetime | None, now: datetime) -> NewKey:
    """Makes one more key of `client`; its other keys stay as they are.

    Without a name it is called "key 2", "key 3" and so on. Raises CredentialRefused for a name that another
    key of the client has or had, because names are how people tell keys apart.
    """
    with transaction.atomic():
        # Two commands at once must not choose the same name.
        Client.objects.select_for_update().get(pk=client.pk)
        taken = set(client.api_keys.values_list("name", flat=True))
        if name is None:
            chosen = next(free for n in count(len(taken) + 1) if (free := f"key {n}") not in taken)
        else:
            chosen = _check_name(name, "The key's name")
        if chosen in taken:
            raise CredentialRefused(f'"{client.name}" has a key called "{chosen}" already; choose another name.')
        return _store_key(client, chosen, expires_at, now)


def _store_key(client: Client, name: str, expires_at: datetime | None, now: datetime) -> NewKey:
    if expires_at is not None and expires_at <= now:
        raise CredentialRefused("The key would have expired already; choose a later time.")
    key = keys.make_key()
    row = ApiKey.objects.create(
        client=client, name=name, prefix=keys.get_prefix(key), digest=keys.get_digest(key), expires_at=expires_at
    )
    return NewKey(row, key)


def _check_name(given: str, what: str) -> str:
    name = given.strip()
    if not name or not name.isprintable():
        raise CredentialRefused(f"{what} must be one line of text that is not empty.")
    if len(name) > MAX_NAME:
        raise CredentialRefused(f"{what} must have at most {MAX_NAME} characters.")
    return name


def find_client(name_or_id: str) -> Client:
    """Returns the client with exactly this name, or else with this id. Raises CredentialRefused for neither."""
    # Neither NUL nor bytes of a terminal that were no UTF-8 (PEP 383) are text to PostgreSQL.
    name = name_or_id.strip().replace("\x00", "").encode(errors="ignore").decode()
    client = Client.objects.filter(name=name).first()
    if client is None:
        try:
            client = Client.objects.filter(pk=UUID(name_or_id.strip())).first()
        except ValueError:
            client = None
    if client is None:
        raise CredentialRefused(f'There is no client called "{name_or_id}"; `list_keys` shows the names.')
    return client


def list_keys(client: Client | None) -> list[ApiKey]:
    """Returns the keys of one client, or all keys, by client and then oldest first; one query."""
    rows = ApiKey.objects.select_related("client").order_by("client__name", "created_at", "id")
    return list(rows if client is None else rows.filter(client=client))


def get_state(row: ApiKey, now: datetime) -> keys.KeyState:
    """Returns what a stored key is worth at `now`; reads its client."""
    return keys.judge_key(
        is_active=row.is_active,
        is_client_active=row.client.is_active,
        revoked_at=row.revoked_at,
        expires_at=row.expires_at,
        now=now,
    )


def find_key_to_revoke(given: str, client: Client | None) -> ApiKey:
    """Returns the one key that `given` means: the 12 characters that staff see of a key, or a whole key.

    Raises CredentialRefused when there is none or more than one. No message repeats more than 12 characters.
    """
    text = given.strip()
    if keys.is_well_formed(text):
        rows = ApiKey.objects.filter(digest=keys.get_digest(text))
    elif keys.is_prefix(text):
        rows = ApiKey.objects.filter(prefix=text)
    else:
        raise CredentialRefused("Name the key by its prefix: off_ and eight characters, as `list_keys` shows it.")
    found = list(rows.filter(client=client) if client else rows)
    prefix = keys.get_prefix(text)
    if not found:
        raise CredentialRefused(f"There is no such key with the prefix {prefix}; `list_keys` shows all of them.")
    if len(found) > 1:
        raise CredentialRefused(
            f"{len(found)} keys have the prefix {prefix}; name the client with --client, or give the whole key."
        )
    return found[0]


def revoke_key(key_id: int, now: datetime) -> bool:
    """Revokes a key for good; returns False when it was revoked already, and leaves that time as it was.

    Web processes refuse it within the ten seconds for which they remember a valid key.
    """
    return ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=now) == 1


def find_key(key: str, now: datetime) -> KnownKey | None:
    """Returns what is known of a well-formed key, or None; one query, by digest."""
    row = (
        ApiKey.objects.filter(digest=keys.get_digest(key))
        .order_by()
        .values_list(
            "id",
            "client_id",
            "client__name",
            "is_active",
            "client__is_active",
            "revoked_at",
            "expires_at",
            "last_used_at",
        )
        .first()
    )
    if row is None:
        return None
    key_id, client_id, client_name, is_active, is_client_active, revoked_at, expires_at, last_used_at = row
    state = keys.judge_key(
        is_active=is_active,
        is_client_active=is_client_active,
        revoked_at=revoked_at,
        expires_at=expires_at,
        now=now,
    )
    return KnownKey(key_id, client_id, client_name, state, expires_at, last_used_at)


def note_use(known: KnownKey, now: datetime) -> None:
    """Stores that a key was used, unless that was stored within the last minute. Raises what the database raises."""
    before = now - USE_IS_NOTED_EVERY
    if known.last_used_at is not None and known.last_used_at >= before:
        return
    with connection.cursor() as cursor:
        cursor.execute(NOTE_USE, {"id": known.key_id, "now": now, "before": before})
