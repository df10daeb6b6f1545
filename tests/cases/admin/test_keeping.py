"""The client's page sets how long its cases keep what was written, and only for a superuser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client as Browser
from django.urls import reverse

from cases.keeping import Keeping
from cases.models import Client
from tests.cases.factories import ClientFactory

pytestmark = pytest.mark.django_db


def log_in(**values: bool) -> tuple[Browser, User]:
    user = User.objects.create(username="sam", is_staff=True, **values)
    browser = Browser()
    browser.force_login(user)
    return browser, user


def fill_in(client: Client, mail_days: str) -> dict[str, str]:
    return {
        "name": client.name,
        "is_active": "on",
        "keeping-TOTAL_FORMS": "1",
        "keeping-INITIAL_FORMS": "0",
        "keeping-0-client": str(client.pk),
        "keeping-0-mail_days": mail_days,
        "keeping-0-files_days": "",
        "keeping-0-agent_days": "",
        "api_keys-TOTAL_FORMS": "0",
        "api_keys-INITIAL_FORMS": "0",
    }


def test_a_superuser_sets_a_limit() -> None:
    client = ClientFactory.create()
    browser, _ = log_in(is_superuser=True)

    answer = browser.post(reverse("admin:cases_client_change", args=[client.pk]), fill_in(client, "90"))

    assert answer.status_code == 302
    keeping = Keeping.objects.get()
    assert (keeping.client_id, keeping.mail_days, keeping.files_days) == (client.pk, 90, None)


def test_a_limit_of_no_day_is_refused() -> None:
    client = ClientFactory.create()
    browser, _ = log_in(is_superuser=True)

    answer = browser.post(reverse("admin:cases_client_change", args=[client.pk]), fill_in(client, "0"))

    assert (answer.status_code, Keeping.objects.count()) == (200, 0)
    assert "greater than or equal to 1" in answer.content.decode()


def test_anybody_else_changes_nothing() -> None:
    client = ClientFactory.create()
    browser, user = log_in()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="cases"))

    answer = browser.post(reverse("admin:cases_client_change", args=[client.pk]), fill_in(client, "90"))

    assert (answer.status_code, Keeping.objects.count()) == (403, 0)
