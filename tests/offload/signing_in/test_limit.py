"""Guessing passwords: few guesses are heard, nobody is locked out by a stranger, and success forgets failures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client as HttpClient
from pytest_django import Settings

from cases.models import RequestAllowance
from tests.clocks import NOW, Clocks
from tests.offload.signing_in.conftest import fail, is_in, sign_in

ELSEWHERE = "198.51.100.7"


def test_the_sixth_failure_within_a_quarter_of_an_hour_is_not_heard(sam: User) -> None:
    assert fail(6) == [200, 200, 200, 200, 200, 429]


def test_the_right_password_is_not_heard_beyond_the_limit(sam: User) -> None:
    fail(5)
    before = list(RequestAllowance.objects.order_by("subject").values_list("subject", "empty_at"))

    answer = sign_in(HttpClient())

    assert answer.status_code == 429
    assert answer["Retry-After"] == "180"
    assert "Too many failed attempts to sign in. Try again in 3 minutes." in answer.content.decode()
    assert Session.objects.count() == 0
    sam.refresh_from_db()
    assert sam.last_login is None
    assert list(RequestAllowance.objects.order_by("subject").values_list("subject", "empty_at")) == before


def test_after_the_wait_that_was_told_the_right_password_is_heard(sam: User, clocks: Clocks) -> None:
    fail(6)
    browser = HttpClient()

    clocks.move_to(NOW + timedelta(seconds=179))
    early = sign_in(browser).status_code
    clocks.move_to(NOW + timedelta(seconds=180))

    assert (early, sign_in(browser).status_code, is_in(browser)) == (429, 302, True)


def test_a_name_that_nobody_has_is_answered_as_one_that_somebody_has(sam: User) -> None:
    def read_answers(name: str) -> list[tuple[int, list[str]]]:
        answers = [sign_in(HttpClient(), name, "wrong") for _ in range(6)]
        return [(answer.status_code, answer.context["form"].non_field_errors()) for answer in answers]

    assert read_answers("sam") == read_answers("nobody")


def test_one_address_cannot_keep_a_person_out_of_another(sam: User) -> None:
    fail(30)
    browser = HttpClient()

    assert sign_in(browser, address=ELSEWHERE).status_code == 302


def test_many_addresses_together_get_twenty_guesses_at_one_name(sam: User) -> None:
    statuses = [status for host in range(5) for status in fail(5, address=f"203.0.113.{host}")]

    assert statuses == [200] * 20 + [429] * 5


def test_one_address_gets_fifty_guesses_over_all_names(sam: User) -> None:
    statuses = [status for number in range(51) for status in fail(1, name=f"user{number}")]

    assert statuses == [200] * 50 + [429]


def test_a_browser_in_which_the_person_was_signed_in_is_heard_whatever_strangers_do(sam: User) -> None:
    browser = HttpClient()
    sign_in(browser)
    browser.post("/admin/logout/")
    for host in range(5):
        fail(5, address=f"203.0.113.{host}")
    for number in range(51):
        fail(1, name=f"user{number}")

    assert sign_in(HttpClient()).status_code == 429
    assert sign_in(browser).status_code == 302


def test_a_known_browser_gets_five_guesses_of_its_own(sam: User) -> None:
    browser = HttpClient()
    sign_in(browser)

    assert [sign_in(browser, password="wrong").status_code for _ in range(6)] == [200] * 5 + [429]


@pytest.mark.parametrize("value", ["", "made-up", "made:up:by-me"])
def test_a_browser_that_claims_to_be_known_is_counted_as_a_stranger(sam: User, value: str) -> None:
    browser = HttpClient()
    browser.cookies["offload_browser"] = value
    fail(5)

    assert sign_in(browser).status_code == 429


def test_a_known_browser_of_somebody_else_is_counted_as_a_stranger(sam: User) -> None:
    User.objects.create_user("eve", password="eve's own password", is_staff=True)
    browser = HttpClient()
    sign_in(browser, "eve", "eve's own password")
    fail(5)

    assert sign_in(browser).status_code == 429


def test_failures_from_before_a_success_are_forgotten(sam: User) -> None:
    fail(4)
    sign_in(HttpClient())

    assert fail(6) == [200] * 5 + [429]


def test_a_success_forgets_nothing_of_its_address(sam: User) -> None:
    for number in range(49):
        fail(1, name=f"user{number}")
    sign_in(HttpClient())

    assert fail(2, name="another") == [200, 429]


def test_a_success_counts_for_nothing(sam: User) -> None:
    assert [sign_in(HttpClient()).status_code for _ in range(8)] == [302] * 8


def test_an_empty_form_is_no_attempt(sam: User) -> None:
    for _ in range(8):
        sign_in(HttpClient(), password="")

    assert RequestAllowance.objects.count() == 0


def test_what_is_stored_holds_no_name_and_no_address(sam: User) -> None:
    fail(1, name="my password by mistake")

    subjects = RequestAllowance.objects.values_list("subject", flat=True)
    assert sorted(subject.rpartition(":")[0] for subject in subjects) == [
        "sign-in:address",
        "sign-in:both",
        "sign-in:name",
    ]
    assert not any("password" in subject or "192.0.2.1" in subject for subject in subjects)


def test_behind_a_proxy_the_callers_own_address_counts(sam: User, settings: Settings) -> None:
    settings.OFFLOAD_TRUSTED_PROXIES = 1
    data = {"username": "sam", "password": "wrong"}

    statuses = [
        HttpClient().post("/admin/login/", data, HTTP_X_FORWARDED_FOR=f"203.0.113.{host}").status_code
        for host in range(8)
    ]

    assert statuses == [200] * 8
