"""Addresses of the console that somebody mistyped or guessed: an answer, never an error of ours."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.test import Client as HttpClient

from cases.models import Case
from tests.cases.factories import CaseFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> HttpClient:
    client = HttpClient()
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


@pytest.mark.parametrize(
    "address",
    [
        "/admin/cases/case/?status__exact=%00",
        "/admin/cases/case/?status=%00&client=zz",
        "/admin/cases/case/?%00=1",
        "/admin/autocomplete/?term=%00&app_label=cases&model_name=apikey&field_name=client",
    ],
)
def test_a_nul_in_the_query_narrows_nothing(admin: HttpClient, address: str) -> None:
    assert admin.get(address, follow=True).status_code == 200


def test_the_search_box_says_that_it_takes_no_nul(admin: HttpClient) -> None:
    CaseFactory.create()

    answer = admin.get("/admin/cases/case/?q=%00")

    assert answer.status_code == 200
    assert "Null characters are not allowed." in answer.content.decode()


@pytest.mark.parametrize("selected", ["x", "\x00"])
def test_a_selected_row_that_is_none_changes_nothing(admin: HttpClient, selected: str) -> None:
    kept = Group.objects.count()

    answer = admin.post("/admin/auth/group/", {"action": "delete_selected", "_selected_action": selected, "index": "0"})

    assert answer.status_code == 400
    assert Group.objects.count() == kept


def test_there_is_no_view_on_site_to_ask_for_an_odd_row(admin: HttpClient) -> None:
    kind = ContentType.objects.get_for_model(Case)

    assert admin.get(f"/admin/r/{kind.pk}/1/").status_code == 404
