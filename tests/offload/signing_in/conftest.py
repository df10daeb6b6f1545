"""Somebody who signs in at a moment the test chooses."""

from __future__ import annotations

from base64 import b32decode
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as HttpClient
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from cases.api import limits
from tests.clocks import NOW, Clocks

LOGIN = "/admin/login/"
TWO_STEP = "/admin/two-step/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _forget_callers() -> None:
    """Each test meets the limits as a new process would."""
    limits._refused.clear()


@pytest.fixture
def sam(clocks: Clocks) -> User:
    return User.objects.create_user("sam", password=PASSWORD, is_staff=True, is_superuser=True)


def sign_in(
    browser: HttpClient, name: str = "sam", password: str = PASSWORD, code: str = "", address: str = "192.0.2.1"
) -> Any:
    """Sends the login form from an address."""
    data = {"username": name, "password": password, "code": code, "next": "/admin/"}
    return browser.post(LOGIN, data, REMOTE_ADDR=address)


def fail(times: int, *, name: str = "sam", address: str = "192.0.2.1") -> list[int]:
    """Returns the statuses of so many wrong passwords, each from a browser without a cookie."""
    return [sign_in(HttpClient(), name, "wrong", address=address).status_code for _ in range(times)]


def is_in(browser: HttpClient) -> bool:
    return browser.get("/admin/password_change/").status_code == 200


def make_code(user: User, steps: int = 0) -> str:
    """Returns what an app shows so many half minutes after NOW, by the secret that the database holds."""
    device = TOTPDevice.objects.get(user=user)
    totp = TOTP(device.bin_key)
    totp.time = NOW.timestamp() + 30 * steps
    return f"{totp.token():06d}"


def set_up(browser: HttpClient, user: User) -> list[str]:
    """Turns two-step login on as a person does, with the code of NOW; returns the recovery codes of the page."""
    browser.post(TWO_STEP, {"step": "begin"})
    page = browser.post(TWO_STEP, {"step": "confirm", "code": make_code(user)})
    codes: list[str] = page.context["recovery_codes"]
    return codes


def read_secret(page: Any) -> bytes:
    """Returns the secret as the page shows it to be typed."""
    return b32decode(page.context["secret"].replace(" ", ""))
