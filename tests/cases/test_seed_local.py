"""`manage.py seed_local`: what a local installation starts with, as often as it is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from cases import keys
from cases.models import ApiKey, Client
from tests.cases.admin.groups import seed_groups

pytestmark = pytest.mark.django_db

Seed = Callable[[Any], str]


def make_seed(**changes: Any) -> dict[str, Any]:
    return {
        "api_key": "off_aaaaaaaa_" + "a" * 43,
        "second_api_key": "off_bbbbbbbb_" + "b" * 43,
        "inactive_api_key": "off_cccccccc_" + "c" * 43,
        "staff": {
            "support": {"username": "support", "password": "support's password"},
            "admin": {"username": "admin", "password": "admin's password"},
        },
        **changes,
    }


@pytest.fixture
def seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seed:
    """Writes the file and runs the command; returns what it printed."""
    seed_groups()
    path = tmp_path / "seed.json"
    monkeypatch.setenv("OFFLOAD_SEED_FILE", str(path))

    def run(content: Any) -> str:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        output = StringIO()
        call_command("seed_local", stdout=output)
        return output.getvalue()

    return run


def count_rows() -> tuple[int, ...]:
    models: list[Any] = [Client, ApiKey, get_user_model(), Group]
    return tuple(model.objects.count() for model in models)


def test_two_clients_three_keys_and_two_people_are_made(seed: Seed) -> None:
    output = seed(make_seed())

    stored = {
        row.digest: (row.client.name, row.prefix, row.is_active) for row in ApiKey.objects.select_related("client")
    }
    assert stored == {
        keys.get_digest("off_aaaaaaaa_" + "a" * 43): ("Acme (local)", "off_aaaaaaaa", True),
        keys.get_digest("off_bbbbbbbb_" + "b" * 43): ("Second client (local)", "off_bbbbbbbb", True),
        keys.get_digest("off_cccccccc_" + "c" * 43): ("Acme (local)", "off_cccccccc", False),
    }
    assert "off_aaaaaaaa_" not in output
    assert "password" not in output


def test_each_account_is_in_its_group_and_an_older_file_may_lack_two_of_them(seed: Seed) -> None:
    people = ("support", "operator", "auditor")
    accounts = {name: {"username": name, "password": f"{name}'s password"} for name in (*people, "admin")}

    seed(make_seed())
    first = set(get_user_model().objects.values_list("username", flat=True))
    seed(make_seed(staff=accounts))

    assert first == {"support", "admin"}
    users = [authenticate(username=name, password=f"{name}'s password") for name in people]
    found = [(u.is_staff, u.is_superuser, [g.name for g in u.groups.all()]) for u in users if u is not None]
    assert found == [(True, False, ["Support"]), (True, False, ["Operator"]), (True, False, ["Auditor"])]


def test_a_database_without_the_groups_is_told_how_to_get_them(seed: Seed) -> None:
    Group.objects.all().delete()

    with pytest.raises(CommandError, match=r"There is no group Support; run `manage\.py migrate` first"):
        seed(make_seed())


def test_the_admin_may_do_everything(seed: Seed) -> None:
    seed(make_seed())

    admin = authenticate(username="admin", password="admin's password")
    assert admin is not None
    assert (admin.is_staff, admin.is_superuser) == (True, True)


def test_a_second_run_makes_the_same_rows(seed: Seed) -> None:
    seed(make_seed())
    first = (list(ApiKey.objects.order_by("id").values()), list(get_user_model().objects.order_by("id").values()))
    counts = count_rows()

    seed(make_seed())

    assert count_rows() == counts == (2, 3, 2, 3)
    second = (list(ApiKey.objects.order_by("id").values()), list(get_user_model().objects.order_by("id").values()))
    assert second == first


def test_a_changed_file_changes_the_rows_in_place(seed: Seed) -> None:
    seed(make_seed())
    staff = make_seed()["staff"] | {"support": {"username": "support", "password": "another password"}}

    seed(make_seed(api_key="off_dddddddd_" + "d" * 43, staff=staff))

    assert count_rows() == (2, 3, 2, 3)
    assert ApiKey.objects.filter(digest=keys.get_digest("off_dddddddd_" + "d" * 43), is_active=True).count() == 1
    assert not ApiKey.objects.filter(prefix="off_aaaaaaaa").exists()
    assert authenticate(username="support", password="another password") is not None


def test_keys_may_change_places(seed: Seed) -> None:
    seed(make_seed())

    seed(make_seed(api_key="off_bbbbbbbb_" + "b" * 43, second_api_key="off_aaaaaaaa_" + "a" * 43))

    owners = dict(ApiKey.objects.values_list("prefix", "client__name"))
    assert owners == {
        "off_aaaaaaaa": "Second client (local)",
        "off_bbbbbbbb": "Acme (local)",
        "off_cccccccc": "Acme (local)",
    }


def test_a_person_who_was_locked_out_is_let_in_again(seed: Seed) -> None:
    seed(make_seed())
    get_user_model().objects.update(is_active=False, is_staff=False)

    seed(make_seed())

    assert get_user_model().objects.filter(is_active=True, is_staff=True).count() == 2


def test_it_refuses_to_run_in_production(seed: Seed, settings: Any) -> None:
    settings.OFFLOAD_MODE = "production"

    with pytest.raises(CommandError, match="only with OFFLOAD_MODE=local"):
        seed(make_seed())

    assert count_rows() == (0, 0, 0, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ([], "It must be a JSON object"),
        (make_seed(api_key="off_short"), "api_key must be a key of the form"),
        (make_seed(second_api_key=None), "second_api_key must be a key of the form"),
        (make_seed(staff=None), "staff.support must be an object with username and password"),
        (make_seed(second_api_key="off_aaaaaaaa_" + "a" * 43), "The three keys must differ"),
        (
            make_seed(staff={role: {"username": "x", "password": "y"} for role in ("support", "admin")}),
            "different usernames",
        ),
        (make_seed(staff={"support": {"username": "s"}}), "staff.support.password must be a string"),
    ],
)
def test_a_file_that_is_not_complete_is_refused_with_its_fault(seed: Seed, content: Any, words: str) -> None:
    with pytest.raises(CommandError, match=words.replace(".", r"\.")):
        seed(content)

    assert count_rows() == (0, 0, 0, 3)


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OFFLOAD_SEED_FILE", str(tmp_path / "absent.json"))

    with pytest.raises(CommandError, match="The seed file cannot be read"):
        call_command("seed_local")


def test_a_file_that_was_not_named_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OFFLOAD_SEED_FILE", raising=False)

    with pytest.raises(CommandError, match="OFFLOAD_SEED_FILE is not set"):
        call_command("seed_local")
