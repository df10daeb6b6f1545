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


def test_revoking_leaves_a_line_in_the_log_and_another_key_alone(admin: HttpClient) -> None:
    row, _ = make_api_key()
    other, _ = make_api_key()

    admin.post(f"{LIST}{row.pk}/revoke/")

    revoked_at = {each.pk: each.revoked_at for each in ApiKey.objects.all()}
    assert (revoked_at[row.pk] is None, revoked_at[other.pk]) == (False, None)
    assert (LogEntry.objects.get().object_id, LogEntry.objects.get().get_change_message()) == (str(row.pk), "Revoked.")


def test_a_key_that_was_revoked_keeps_its_time(admin: HttpClient) -> None:
    ended, _ = make_api_key(revoked_at=NOW)

    admin.post(f"{LIST}{ended.pk}/revoke/")

    assert ApiKey.objects.get().revoked_at == NOW
    assert LogEntry.objects.count() == 0


@pytest.mark.django_db
def test_who_may_switch_a_key_may_not_revoke_it() -> None:
    row, _ = make_api_key()
    browser = sign_in("sam", "cases.view_apikey", "cases.change_apikey")

    response = browser.post(f"{LIST}{row.pk}/revoke/")

    assert response.status_code == 403
    assert f"{row.pk}/revoke/" not in browser.get(f"{LIST}{row.pk}/change/").content.decode()
    assert ApiKey.objects.get().revoked_at is None
