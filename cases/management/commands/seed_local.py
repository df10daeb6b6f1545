"""`manage.py seed_local`: the clients and staff of a local installation, from OFFLOAD_SEED_FILE; never runs elsewhere.

Running it again changes nothing but what the file has changed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from cases import keys
from cases.models import ApiKey, Client

FIRST_CLIENT = "Acme (local)"
SECOND_CLIENT = "Second client (local)"
# Who is in which group; a migration makes the groups. An older seed file may lack the last two.
GROUPS = {"support": "Support", "operator": "Operator", "auditor": "Auditor"}


class Command(BaseCommand):
    help = "Makes the clients, keys and staff of a local installation from the JSON file that OFFLOAD_SEED_FILE names."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.OFFLOAD_MODE != "local":
            raise CommandError(
                "seed_local makes accounts whose passwords lie in a file, so it runs only with OFFLOAD_MODE=local."
            )
        seed = _read_seed_file(os.environ.get("OFFLOAD_SEED_FILE", ""))
        with transaction.atomic():
            _seed_clients(seed)
            for role, group in GROUPS.items():
                if role in seed["staff"]:
                    _seed_user(seed["staff"][role], is_superuser=False).groups.add(_find_group(group))
            _seed_user(seed["staff"]["admin"], is_superuser=True)
        people = ", ".join(role for role in (*GROUPS, "admin") if role in seed["staff"])
        self.stdout.write(f"Seeded: two clients with their keys, one inactive key, and staff: {people}.")


def _read_seed_file(name: str) -> dict[str, Any]:
    if not name:
        raise CommandError("OFFLOAD_SEED_FILE is not set; set it to the path of the seed file.")
    try:
        seed = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"The seed file cannot be read: {error}") from None
    except ValueError as error:
        raise CommandError(f"The seed file {name} is not JSON: {error}") from None
    faults = _list_faults(seed)
    if faults:
        raise CommandError(f"The seed file {name} is not complete: {' '.join(faults)}")
    document: dict[str, Any] = seed
    return document


def _list_faults(seed: Any) -> list[str]:
    if not isinstance(seed, dict):
        return ["It must be a JSON object."]
    faults = [
        f"{member} must be a key of the form off_<8 letters or digits>_<43>."
        for member in ("api_key", "second_api_key", "inactive_api_key")
        if not isinstance(seed.get(member), str) or not keys.is_well_formed(seed[member])
    ]
    if not faults and len({seed["api_key"], seed["second_api_key"], seed["inactive_api_key"]}) < 3:
        faults.append("The three keys must differ.")
    staff = seed.get("staff")
    for role in (*GROUPS, "admin"):
        account = staff.get(role) if isinstance(staff, dict) else None
        if account is None and role in ("operator", "auditor"):
            continue
        if not isinstance(account, dict):
            faults.append(f"staff.{role} must be an object with username and password.")
            continue
        faults += [
            f"staff.{role}.{member} must be a string that is not empty."
            for member in ("username", "password")
            if not isinstance(account.get(member), str) or not account[member]
        ]
    if not faults and len({account["username"] for account in seed["staff"].values()}) < len(seed["staff"]):
        faults.append("The accounts under staff must have different usernames.")
    return faults


def _seed_clients(seed: dict[str, Any]) -> None:
    first, _ = Client.objects.get_or_create(name=FIRST_CLIENT)
    second, _ = Client.objects.get_or_create(name=SECOND_CLIENT)
    _seed_key(first, "default", seed["api_key"], is_active=True)
    _seed_key(second, "default", seed["second_api_key"], is_active=True)
    _seed_key(first, "switched off", seed["inactive_api_key"], is_active=False)


def _seed_key(client: Client, name: str, key: str, *, is_active: bool) -> None:
    # Keys may have changed places in the file, and a digest is unique.
    ApiKey.objects.filter(digest=keys.get_digest(key)).exclude(client=client, name=name).delete()
    values = {"prefix": keys.get_prefix(key), "digest": keys.get_digest(key), "is_active": is_active}
    ApiKey.objects.update_or_create(client=client, name=name, defaults=values)


def _find_group(name: str) -> Group:
    try:
        return Group.objects.get(name=name)
    except Group.DoesNotExist:
        raise CommandError(f"There is no group {name}; run `manage.py migrate` first, which makes it.") from None


def _seed_user(account: dict[str, str], *, is_superuser: bool) -> Any:
    flags = {"is_staff": True, "is_active": True, "is_superuser": is_superuser}
    user, _ = get_user_model().objects.update_or_create(username=account["username"], defaults=flags)
    if not user.check_password(account["password"]):
        user.set_password(account["password"])
        user.save(update_fields=["password"])
    return user
