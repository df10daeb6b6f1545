"""What the tests of the console share: people with and without permissions, signed in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client as HttpClient

from cases.models import Case, InputRequest
from tests.cases.factories import CaseFactory

ASKED_AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def sign_in(username: str, *permissions: str, is_staff: bool = True, is_superuser: bool = False) -> HttpClient:
    """Returns a browser that somebody with these permissions (such as `cases.view_case`) is signed in to."""
    user = get_user_model().objects.create_user(username, is_staff=is_staff, is_superuser=is_superuser)
    for name in permissions:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    browser = HttpClient()
    browser.force_login(user)
    return browser


@pytest.fixture
def support(db: None) -> HttpClient:
    return sign_in("sam", "cases.view_case", "cases.answer_case")


@pytest.fixture
def reader(db: None) -> HttpClient:
    return sign_in("rita", "cases.view_case")


@pytest.fixture
def admin(db: None) -> HttpClient:
    return sign_in("root", is_superuser=True)


@pytest.fixture
def waiting_case(db: None) -> Case:
    case = CaseFactory.create(status="INPUT_NEEDED", attempt_count=1)
    InputRequest.objects.create(case=case, question="Old name or new name?", requested_at=ASKED_AT)
    return case


def make_page_url(case: Case) -> str:
    return f"/admin/cases/case/{case.id}/change/"


def make_answer_url(case: Case) -> str:
    return f"/admin/cases/case/{case.id}/answer/"


def send_answer(browser: HttpClient, case: Case, answer: str = "The new one.", **data: Any) -> Any:
    """Sends the form of the case's page, as the page of the newest question would."""
    newest = case.input_requests.order_by("requested_at").last()
    fields = {"question_id": str(newest.id) if newest else "", "answer": answer, **data}
    return browser.post(make_answer_url(case), fields)
