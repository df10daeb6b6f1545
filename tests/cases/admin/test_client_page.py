"""The page of one API client: its limits and keys as tables that can be read without seeing them."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as HttpClient
from django.urls import reverse

from cases.keeping import Keeping
from tests.cases.factories import make_api_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> HttpClient:
    browser = HttpClient()
    browser.force_login(get_user_model().objects.create_superuser("root"))
    return browser


def test_every_column_of_the_client_s_page_has_a_header_and_every_box_a_label(admin: HttpClient) -> None:
    key, _ = make_api_key()

    page = admin.get(reverse("admin:cases_client_change", args=[key.client_id])).content.decode()

    headers = re.findall(r"<th[^>]*>(.*?)</th>", page, re.DOTALL)
    assert [header.strip() for header in headers if not header.strip()] == []
    assert f'<label class="visually-hidden" for="id_api_keys-0-is_active">Is active: {key}</label>' in page
    assert '<label class="visually-hidden" for="id_keeping-0-mail_days">' in page


def test_a_key_is_switched_off_there_and_an_empty_limit_is_not_stored(admin: HttpClient) -> None:
    key, _ = make_api_key()
    url = reverse("admin:cases_client_change", args=[key.client_id])
    page = admin.get(url).content.decode()
    pattern = r'<input type="(?:hidden|text|number)" name="((?:keeping|api_keys)[^"]*)"(?: value="([^"]*)")?'
    fields = dict(re.findall(pattern, page))

    answer = admin.post(url, {**fields, "name": "Acme", "is_active": "on"})

    key.refresh_from_db()
    assert (answer.status_code, key.is_active, Keeping.objects.count()) == (302, False, 0)
