"""People of the seeded groups, signed in; must not know what a group may do."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as HttpClient

GROUPS = ("Support", "Operator", "Auditor")


def seed_groups() -> None:
    """Runs the migration's own function: a test that empties every table takes the groups with it."""
    import_module("cases.migrations.0010_groups").seed_groups(apps, None)


def sign_in_as(group: str) -> HttpClient:
    """Returns a browser in which somebody of the group is signed in; "nobody" has no group, "superuser" every right."""
    seed_groups()
    user = get_user_model().objects.create_user(group.lower(), is_staff=True, is_superuser=group == "superuser")
    if group in GROUPS:
        user.groups.add(Group.objects.get(name=group))
    browser = HttpClient()
    browser.force_login(user)
    return browser
