"""`manage.py create_client`: a key that works, shown once, stored never."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from cases import keys
from cases.models import ApiKey, Client

pytestmark = pytest.mark.django_db


def create(*arguments: str) -> str:
    output = StringIO()
    call_command("create_client", *arguments, stdout=output)
    return output.getvalue()


def test_the_client_and_its_key_are_made_and_the_key_is_shown_but_not_stored() -> None:
    output = create("  Acme ", "--key-name", "staging")

    client = Client.objects.get()
    row = ApiKey.objects.get()
    shown = re.search(r"off_\w{8}_[\w-]{43}", output)
    assert shown is not None
    key = shown.group()
    assert (client.name, client.is_active) == ("Acme", True)
    assert str(client.id) in output
    assert "cannot be shown again" in output
    assert (row.client_id, row.name, row.is_active) == (client.id, "staging", True)
    assert (row.prefix, row.digest) == (key[:12], keys.get_digest(key))
    assert key not in str(vars(row))


def test_a_name_that_is_taken_is_refused_and_changes_nothing() -> None:
    create("Acme")

    with pytest.raises(CommandError, match='There is a client called "Acme" already; choose another name'):
        create("Acme")

    assert (Client.objects.count(), ApiKey.objects.count()) == (1, 1)


@pytest.mark.parametrize("name", ["", "   ", "two\nlines", "a\x00b", "x" * 201])
def test_a_name_that_staff_could_not_read_is_refused(name: str) -> None:
    with pytest.raises(CommandError, match="The client's name must"):
        create(name)

    assert Client.objects.count() == 0


def test_the_name_of_the_key_is_checked_too() -> None:
    with pytest.raises(CommandError, match="The key's name must"):
        create("Acme", "--key-name", " ")

    assert Client.objects.count() == 0
