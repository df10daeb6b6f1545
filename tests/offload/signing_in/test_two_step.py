"""Two-step login: set up by the person, asked at every login, a code once, and a way back in for who lost the phone."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from xml.etree import ElementTree

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client as HttpClient
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from tests.clocks import NOW, Clocks
from tests.offload.signing_in.conftest import (
    LOGIN,
    PASSWORD,
    TWO_STEP,
    is_in,
    make_code,
    read_secret,
    set_up,
    sign_in,
)

SECRET = "/admin/two-step/secret.svg"


@pytest.fixture
def browser(sam: User) -> HttpClient:
    """Where sam is signed in."""
    browser = HttpClient()
    browser.force_login(sam)
    return browser


@pytest.fixture
def codes(browser: HttpClient, sam: User, clocks: Clocks) -> list[str]:
    """The recovery codes of sam, who turned two-step login on at NOW; it is half a minute later."""
    codes = set_up(browser, sam)
    clocks.move_to(NOW + timedelta(seconds=30))
    return codes


def test_without_it_the_password_suffices(sam: User) -> None:
    browser = HttpClient()

    assert (sign_in(browser).status_code, is_in(browser)) == (302, True)


def test_the_page_shows_the_secret_that_the_app_needs(browser: HttpClient, sam: User) -> None:
    browser.post(TWO_STEP, {"step": "begin"})

    page = browser.get(TWO_STEP)
    picture = browser.get(SECRET)

    assert read_secret(page) == TOTPDevice.objects.get(user=sam).bin_key
    assert picture["Content-Type"] == "image/svg+xml"
    assert "no-store" in picture["Cache-Control"]
    assert ElementTree.fromstring(picture.content).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"style" not in picture.content


def test_to_begin_changes_nothing_about_the_login(browser: HttpClient, sam: User) -> None:
    browser.post(TWO_STEP, {"step": "begin"})
    other = HttpClient()

    assert (sign_in(other).status_code, is_in(other)) == (302, True)


def test_a_wrong_code_turns_nothing_on(browser: HttpClient, sam: User) -> None:
    browser.post(TWO_STEP, {"step": "begin"})
    wrong = f"{(int(make_code(sam)) + 1) % 1_000_000:06d}"

    page = browser.post(TWO_STEP, {"step": "confirm", "code": wrong})

    assert page.status_code == 400
    assert "This is not the code of the moment." in page.content.decode()
    assert TOTPDevice.objects.get(user=sam).confirmed is False
    assert StaticDevice.objects.count() == 0


def test_ten_recovery_codes_are_shown_once(browser: HttpClient, sam: User, codes: list[str]) -> None:
    assert len(set(codes)) == 10
    page = browser.get(TWO_STEP).content.decode()
    assert not any(code in page for code in codes)
    assert "<strong>10</strong> of 10" in page


def test_the_secret_is_not_shown_again(browser: HttpClient, codes: list[str]) -> None:
    assert browser.get(SECRET).status_code == 404
    assert browser.get(TWO_STEP).context["secret"] == ""


def test_to_set_it_up_signs_out_every_other_browser(browser: HttpClient, sam: User) -> None:
    other = HttpClient()
    other.force_login(sam)

    set_up(browser, sam)

    assert (is_in(browser), is_in(other)) == (True, False)


def test_with_it_the_password_alone_signs_nobody_in(sam: User, codes: list[str]) -> None:
    browser = HttpClient()

    answer = sign_in(browser)

    assert answer.status_code == 200
    assert (
        answer.context["form"].non_field_errors()
        == sign_in(browser, password="wrong").context["form"].non_field_errors()
    )
    assert is_in(browser) is False


def test_password_and_code_sign_in(sam: User, codes: list[str]) -> None:
    browser = HttpClient()
    code = make_code(sam, steps=1)

    assert sign_in(browser, code=f"{code[:3]} {code[3:]}").status_code == 302
    assert is_in(browser) is True


def test_a_code_cannot_be_used_twice(sam: User, codes: list[str]) -> None:
    code = make_code(sam, steps=1)
    sign_in(HttpClient(), code=code)
    second = HttpClient()

    assert (sign_in(second, code=code).status_code, is_in(second)) == (200, False)


def test_the_code_that_turned_it_on_signs_nobody_in(sam: User, codes: list[str]) -> None:
    browser = HttpClient()

    assert (sign_in(browser, code=make_code(sam)).status_code, is_in(browser)) == (200, False)


def test_a_recovery_code_works_once(sam: User, codes: list[str]) -> None:
    first, second = HttpClient(), HttpClient()

    assert (sign_in(first, code=codes[0]).status_code, is_in(first)) == (302, True)
    assert (sign_in(second, code=codes[0]).status_code, is_in(second)) == (200, False)
    assert StaticToken.objects.count() == 9


def test_a_code_is_not_used_up_by_a_wrong_password(sam: User, codes: list[str]) -> None:
    sign_in(HttpClient(), password="wrong", code=codes[0])

    assert StaticToken.objects.count() == 10


def test_a_wrong_code_counts_as_a_failure(sam: User, codes: list[str]) -> None:
    statuses = [sign_in(HttpClient(), code="000000").status_code for _ in range(6)]

    assert statuses == [200] * 5 + [429]


def test_beyond_the_limit_no_code_is_used_up(sam: User, codes: list[str]) -> None:
    for _ in range(5):
        sign_in(HttpClient(), password="wrong")

    assert sign_in(HttpClient(), code=codes[0]).status_code == 429
    assert StaticToken.objects.count() == 10


def test_the_apps_own_pause_after_a_wrong_code_is_kept(sam: User, codes: list[str], clocks: Clocks) -> None:
    browser, code = HttpClient(), make_code(sam, steps=1)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    sign_in(browser, code=wrong)

    at_once = sign_in(browser, code=code).status_code
    clocks.move_to(NOW + timedelta(seconds=32))

    assert (at_once, sign_in(browser, code=code).status_code) == (200, 302)


def test_a_mistyped_code_of_the_app_costs_the_recovery_codes_no_pause(sam: User, codes: list[str]) -> None:
    sign_in(HttpClient(), code="000000")

    assert sign_in(HttpClient(), code=codes[0].upper()).status_code == 302


def test_to_turn_it_off_asks_for_the_password(browser: HttpClient, sam: User, codes: list[str]) -> None:
    refused = browser.post(TWO_STEP, {"step": "remove", "password": "wrong"})

    assert refused.status_code == 400
    assert "This is not your password." in refused.content.decode()
    assert (TOTPDevice.objects.count(), StaticToken.objects.count()) == (1, 10)

    browser.post(TWO_STEP, {"step": "remove", "password": PASSWORD})

    assert (TOTPDevice.objects.count(), StaticDevice.objects.count()) == (0, 0)
    other = HttpClient()
    assert (sign_in(other).status_code, is_in(other)) == (302, True)


def test_the_password_cannot_be_guessed_there(browser: HttpClient, sam: User, codes: list[str]) -> None:
    typed = ["wrong"] * 5 + [PASSWORD]

    statuses = [browser.post(TWO_STEP, {"step": "remove", "password": password}).status_code for password in typed]

    assert statuses == [400] * 5 + [429]
    assert TOTPDevice.objects.filter(user=sam, confirmed=True).count() == 1


def test_who_has_it_cannot_be_given_another_secret(browser: HttpClient, sam: User, codes: list[str]) -> None:
    before = TOTPDevice.objects.get(user=sam).key

    browser.post(TWO_STEP, {"step": "begin"})

    assert TOTPDevice.objects.get().key == before


def test_both_deeds_are_in_the_audit_log(browser: HttpClient, sam: User, codes: list[str]) -> None:
    browser.post(TWO_STEP, {"step": "remove", "password": PASSWORD})

    deeds = LogEntry.objects.filter(user=sam, object_id=str(sam.pk)).order_by("id")
    assert [entry.change_message for entry in deeds] == ["Turned two-step login on.", "Turned two-step login off."]


def test_no_page_of_the_admin_holds_the_secrets(browser: HttpClient, sam: User, codes: list[str]) -> None:
    assert not any(model._meta.app_label.startswith("otp_") for model in admin.site._registry)
    for path in (f"/admin/auth/user/{sam.pk}/change/", f"/admin/auth/user/{sam.pk}/delete/"):
        page = browser.get(path).content.decode()
        assert TOTPDevice.objects.get().key not in page
        assert not any(code in page for code in codes)


def test_a_lost_phone_is_reset_by_the_operator(browser: HttpClient, sam: User, codes: list[str]) -> None:
    said = StringIO()

    call_command("reset_two_step", "sam", stdout=said)
    call_command("reset_two_step", "sam", stdout=said)

    assert said.getvalue().splitlines() == [
        "Two-step login of sam is off. Sessions that were ended: 1.",
        "Two-step login of sam was off already. Sessions that were ended: 0.",
    ]
    assert is_in(browser) is False
    assert sign_in(HttpClient()).status_code == 302


def test_a_reset_of_nobody_says_so_and_changes_nothing(codes: list[str]) -> None:
    with pytest.raises(CommandError, match='Nobody signs in as "Sam"; the admin lists everybody under Users'):
        call_command("reset_two_step", "Sam")

    assert TOTPDevice.objects.count() == 1


def test_where_it_is_required_a_person_is_led_to_the_set_up(sam: User, settings: Settings) -> None:
    settings.OFFLOAD_REQUIRE_TWO_STEP = True
    browser = HttpClient()
    sign_in(browser)

    led = [browser.get(path)["Location"] for path in ("/admin/", "/admin/cases/case/", "/admin/auth/user/")]
    assert led == [TWO_STEP] * 3
    assert "Set up two-step login first" in browser.get(TWO_STEP).content.decode()

    set_up(browser, sam)

    assert browser.get("/admin/").status_code == 200


def test_where_it_is_required_who_turns_it_off_is_led_back(
    browser: HttpClient, codes: list[str], settings: Settings
) -> None:
    settings.OFFLOAD_REQUIRE_TWO_STEP = True
    assert browser.get("/admin/").status_code == 200

    browser.post(TWO_STEP, {"step": "remove", "password": PASSWORD})

    assert browser.get("/admin/")["Location"] == TWO_STEP


def test_where_it_is_required_a_person_may_log_out_and_a_stranger_sees_the_login(
    browser: HttpClient, settings: Settings
) -> None:
    settings.OFFLOAD_REQUIRE_TWO_STEP = True

    assert browser.post("/admin/logout/").status_code == 200
    assert browser.get("/admin/")["Location"] == f"{LOGIN}?next=/admin/"
    assert browser.get(TWO_STEP)["Location"] == f"{LOGIN}?next={TWO_STEP}"
