"""Two-step login in a browser: set up from the user menu, asked at the next login; every state without a fault."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from cases.api import limits
from tests.e2e.conftest import Complaints
from tests.e2e.looks import find_faults

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"


@pytest.fixture
def sam(live_server: LiveServer) -> User:
    limits._refused.clear()
    return User.objects.create_user("sam", password=PASSWORD, is_staff=True, is_superuser=True)


def type_login(page: Page, password: str = PASSWORD, code: str = "") -> None:
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill(password)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Log in").click()


def make_code(user: User) -> str:
    app = TOTPDevice.objects.get(user=user)
    return f"{TOTP(app.bin_key).token():06d}"


def test_two_step_login_is_set_up_and_then_asked_for(page: Page, live_server: LiveServer, sam: User) -> None:
    faults: list[str] = []

    def look(state: str) -> None:
        faults.extend(f"{state}: {fault}" for fault in find_faults(page))

    page.goto(f"{live_server.url}/admin/")
    type_login(page)
    page.get_by_role("link", name="Two-step login").click()
    look("off")
    page.get_by_role("button", name="Set up two-step login").click()
    picture = page.get_by_role("img", name="QR code")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    look("pending")
    page.get_by_label("Code that the app shows").fill(make_code(sam))
    page.get_by_role("button", name="Turn two-step login on").click()
    codes = page.locator(".recovery-codes code").all_inner_texts()
    look("recovery codes")
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("link", name="Two-step login").click()
    look("on")

    page.get_by_role("button", name="Log out").click()
    page.goto(f"{live_server.url}/admin/")
    type_login(page)
    assert page.get_by_role("alert").inner_text().startswith("The name, the password or the code is not right.")
    look("refused")
    type_login(page, code=codes[0])

    page.get_by_role("button", name="Log out").wait_for()
    assert "\n".join(faults) == ""


def test_beyond_the_limit_the_login_page_says_when_to_try_again(
    page: Page, live_server: LiveServer, sam: User, complaints: Complaints
) -> None:
    page.goto(f"{live_server.url}/admin/")
    for _ in range(6):
        type_login(page, password="wrong")

    assert page.get_by_role("alert").inner_text() == "Too many failed attempts to sign in. Try again in 3 minutes."
    # A browser notes every 4xx of a page on its console.
    complaints.found.clear()
    assert find_faults(page) == []
