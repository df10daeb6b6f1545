"""`manage.py create_key`, `list_keys` and `revoke_key`: keys are rotated without a gap, and never shown again."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from cases import keys
from cases.models import ApiKey, Client
from tests.cases.factories import ClientFactory, make_api_key

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
KEY = re.compile(r"off_\w{8}_[\w-]{43}")


def run(command: str, *arguments: str) -> str:
    output = StringIO()
    with time_machine.travel(NOW, tick=False):
        call_command(command, *arguments, stdout=output)
    return output.getvalue()


def make_acme(**changes: Any) -> Client:
    return ClientFactory.create(name="Acme", **changes)


# -- create_key


def test_a_second_key_is_made_and_shown_but_not_stored_and_the_first_stays() -> None:
    acme = make_acme()
    first, _ = make_api_key(client=acme)

    output = run("create_key", "Acme")

    shown = KEY.search(output)
    assert shown is not None
    row = ApiKey.objects.exclude(pk=first.pk).get()
    assert (row.client_id, row.name, row.is_active, row.expires_at) == (acme.id, "key 2", True, None)
    assert (row.prefix, row.digest) == (shown.group()[:12], keys.get_digest(shown.group()))
    assert shown.group() not in str(vars(row))
    assert "Expires: never" in output
    assert "cannot be shown again" in output
    first.refresh_from_db()
    assert (first.is_active, first.revoked_at) == (True, None)


def test_a_client_is_named_by_its_name_or_its_id() -> None:
    acme = make_acme()

    run("create_key", str(acme.id), "--name", "by id")
    run("create_key", "Acme", "--name", "by name")

    assert set(ApiKey.objects.values_list("name", flat=True)) == {"by id", "by name"}


@pytest.mark.parametrize(
    ("arguments", "expires_at"),
    [
        (("--expires-in-days", "90"), NOW + timedelta(days=90)),
        (("--expires-at", "2027-01-31"), datetime(2027, 1, 31, tzinfo=UTC)),
        (("--expires-at", "2027-01-31T18:00:00Z"), datetime(2027, 1, 31, 18, tzinfo=UTC)),
        (("--expires-at", "2027-01-31T18:00:00+02:00"), datetime(2027, 1, 31, 16, tzinfo=UTC)),
    ],
    ids=["days", "date", "UTC", "with an offset"],
)
@pytest.mark.parametrize("command", ["create_key", "create_client"])
def test_a_key_expires_when_it_was_told_to(command: str, arguments: tuple[str, str], expires_at: datetime) -> None:
    if command == "create_key":
        make_acme()

    output = run(command, "Acme", *arguments)

    assert ApiKey.objects.get().expires_at == expires_at
    assert f"Expires: {expires_at:%Y-%m-%dT%H:%M:%SZ}" in output


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--expires-in-days", "0"), "--expires-in-days must be a whole number from 1 to 3650"),
        (("--expires-in-days", "3651"), "--expires-in-days must be a whole number from 1 to 3650"),
        (("--expires-in-days", "soon"), "--expires-in-days"),
        (("--expires-at", "soon"), "--expires-at must be a date or time such as"),
        (("--expires-at", "0001-01-01T00:00:00+14:00"), "--expires-at must be a date or time such as"),
        (("--expires-at", "2026-11-24T10:00:00Z"), "would have expired already; choose a later time"),
        (("--expires-in-days", "1", "--expires-at", "2027-01-31"), "not allowed with"),
        (("--name", " "), "The key's name must be one line"),
        (("--name", "x" * 201), "The key's name must have at most 200 characters"),
        (("--name", "default"), '"Acme" has a key called "default" already; choose another name'),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(arguments: tuple[str, ...], fault: str) -> None:
    make_api_key(client=make_acme())

    with pytest.raises(CommandError, match=re.escape(fault)):
        run("create_key", "Acme", *arguments)

    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("name", ["Nobody", "acme", "", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "a\x00b", "a\udcff"])
@pytest.mark.parametrize("command", [("create_key",), ("list_keys",), ("revoke_key", "off_12345678", "--client")])
def test_a_client_that_does_not_exist_is_named(command: tuple[str, ...], name: str) -> None:
    make_acme()

    with pytest.raises(CommandError, match="There is no client called"):
        run(*command, name)

    assert ApiKey.objects.count() == 0


def test_names_that_are_made_up_do_not_collide() -> None:
    acme = make_acme()
    make_api_key(client=acme, name="key 3")
    make_api_key(client=acme, name="default", revoked_at=NOW)

    run("create_key", "Acme")

    assert sorted(acme.api_keys.values_list("name", flat=True)) == ["default", "key 3", "key 4"]


def test_a_key_for_a_client_that_is_off_is_made_with_a_warning() -> None:
    make_acme(is_active=False)

    assert "the key will be refused until the client is switched on" in run("create_key", "Acme")


# -- list_keys


@pytest.fixture
def five_keys() -> None:
    acme = make_acme()
    day = timedelta(days=1)
    changes: dict[str, dict[str, Any]] = {
        "plain": {"last_used_at": NOW - day},
        "ends later": {"expires_at": NOW + day},
        "ended": {"expires_at": NOW},
        "gone": {"revoked_at": NOW - day, "expires_at": NOW},
        "asleep": {"is_active": False},
    }
    for name, values in changes.items():
        row, _ = make_api_key(client=acme, name=name, **values)
        # Fixed, so that the table can be compared whole.
        ApiKey.objects.filter(pk=row.pk).update(
            prefix=f"off_{name[:4].ljust(8, '0')}".replace(" ", "0"), created_at=NOW
        )
    make_api_key(client=ClientFactory.create(name="Zeta", is_active=False), name="of a client that is off")


def test_the_table_tells_what_each_key_is_worth_and_shows_no_secret(five_keys: None) -> None:
    output = run("list_keys", "Acme")

    assert output.splitlines() == [
        "PREFIX        CLIENT  NAME        STATE    CREATED               LAST USED             EXPIRES",
        "off_plai0000  Acme    plain       active   2026-11-24T10:00:00Z  2026-11-23T10:00:00Z  never",
        "off_ends0000  Acme    ends later  active   2026-11-24T10:00:00Z  never                 2026-11-25T10:00:00Z",
        "off_ende0000  Acme    ended       expired  2026-11-24T10:00:00Z  never                 2026-11-24T10:00:00Z",
        "off_gone0000  Acme    gone        revoked  2026-11-24T10:00:00Z  never                 2026-11-24T10:00:00Z",
        "off_asle0000  Acme    asleep      off      2026-11-24T10:00:00Z  never                 never",
    ]


def test_without_a_client_all_keys_are_listed(five_keys: None) -> None:
    rows = json.loads(run("list_keys", "--json"))

    assert [row["state"] for row in rows] == ["active", "active", "expired", "revoked", "off", "client off"]
    assert rows[3] == {
        "prefix": "off_gone0000",
        "client": "Acme",
        "client_id": str(Client.objects.get(name="Acme").id),
        "name": "gone",
        "state": "revoked",
        "created_at": "2026-11-24T10:00:00Z",
        "last_used_at": None,
        "expires_at": "2026-11-24T10:00:00Z",
        "revoked_at": "2026-11-23T10:00:00Z",
    }
    for digest in ApiKey.objects.values_list("digest", flat=True):
        assert digest not in json.dumps(rows)


def test_no_keys_are_no_error() -> None:
    assert "There are no keys" in run("list_keys")
    assert json.loads(run("list_keys", "--json")) == []


# -- revoke_key


def test_a_key_is_revoked_once_and_a_second_call_changes_nothing() -> None:
    acme = make_acme()
    row, _ = make_api_key(client=acme)
    other, _ = make_api_key(client=acme, name="other")

    first = run("revoke_key", row.prefix)
    ApiKey.objects.filter(pk=row.pk).update(revoked_at=NOW - timedelta(days=1))
    second = run("revoke_key", row.prefix)

    assert first.strip() == (
        f'The key {row.prefix} ("default" of Acme) is revoked; within ten seconds every request with it is refused.'
    )
    assert second.strip() == f'The key {row.prefix} ("default" of Acme) was revoked already, at 2026-11-23T10:00:00Z.'
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.revoked_at, other.revoked_at) == (NOW - timedelta(days=1), None)


def test_the_whole_key_will_do_and_is_not_shown() -> None:
    row, key = make_api_key()

    output = run("revoke_key", key)

    row.refresh_from_db()
    assert row.revoked_at == NOW
    assert key not in output
    assert row.digest not in output


def test_a_prefix_that_two_keys_share_is_refused_until_the_client_is_named() -> None:
    for name in ("Acme", "Zeta"):
        row, _ = make_api_key(client=ClientFactory.create(name=name))
        ApiKey.objects.filter(pk=row.pk).update(prefix="off_12345678")

    with pytest.raises(CommandError, match="2 keys have the prefix off_12345678; name the client with --client"):
        run("revoke_key", "off_12345678")
    assert not ApiKey.objects.exclude(revoked_at=None).exists()

    run("revoke_key", "off_12345678", "--client", "Zeta")
    assert ApiKey.objects.exclude(revoked_at=None).get().client.name == "Zeta"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("off_00000000", "There is no such key with the prefix off_00000000"),
        ("off_00000000_" + "s" * 43, "There is no such key with the prefix off_00000000;"),
        ("off_", "Name the key by its prefix"),
        ("", "Name the key by its prefix"),
        ("%", "Name the key by its prefix"),
        ("off_00000000_" + "s" * 42, "Name the key by its prefix"),
    ],
)
def test_what_names_no_key_is_refused_and_not_repeated(given: str, message: str) -> None:
    make_api_key()

    with pytest.raises(CommandError, match=re.escape(message)) as refusal:
        run("revoke_key", given)

    assert "sssss" not in str(refusal.value)
    assert ApiKey.objects.get().revoked_at is None
