"""API keys in the console: what they are worth, and how a superuser ends one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as HttpClient

from cases.models import ApiKey
from tests.cases.admin.conftest import sign_in
from tests.cases.factories import make_api_key

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LIST = "/admin/cases/apikey/"


def revoke(browser: HttpClient, *rows: ApiKey) -> str:
    response = browser.post(LIST, {"action": "revoke", "_selected_action": [row.pk for row in rows]}, follow=True)
    return response.content.decode()


def test_the_list_and_the_client_s_page_tell_state_use_and_expiry_and_no_digest(admin: HttpClient) -> None:
    row, key = make_api_key(revoked_at=NOW, last_used_at=NOW - timedelta(days=2), expires_at=NOW + timedelta(days=2))

    listed = admin.get(LIST).content.decode()
    of_client = admin.get(f"/admin/cases/client/{row.client_id}/change/").content.decode()

    for page in (listed, of_client):
        assert row.prefix in page
        assert "revoked" in page
        assert "22 Nov 2026, 10:00 UTC" in page
        assert "26 Nov 2026, 10:00 UTC" in page
        assert row.digest not in page
        assert key not in page


def test_a_superuser_revokes_keys_and_the_log_says_so(admin: HttpClient) -> None:
    row, _ = make_api_key()
    ended, _ = make_api_key(revoked_at=NOW)
    other, _ = make_api_key()

    page = revoke(admin, row, ended)

    assert f"Revoked: {row.prefix}." in page
    revoked_at = {each.pk: each.revoked_at for each in ApiKey.objects.all()}
    assert revoked_at[row.pk] is not None
    assert (revoked_at[ended.pk], revoked_at[other.pk]) == (NOW, None)
    assert LogEntry.objects.get().object_id == str(row.pk)


def test_revoking_again_says_that_nothing_was_left_to_do(admin: HttpClient) -> None:
    ended, _ = make_api_key(revoked_at=NOW)

    assert "The keys were revoked already." in revoke(admin, ended)
    assert LogEntry.objects.count() == 0


@pytest.mark.django_db
def test_support_cannot_revoke_a_key() -> None:
    row, _ = make_api_key()
    browser = sign_in("sam", "cases.view_apikey", "cases.change_apikey")

    page = revoke(browser, row)

    assert "Revoke the chosen keys" not in page
    row.refresh_from_db()
    assert row.revoked_at is None
