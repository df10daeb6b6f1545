"""Who may see and do what in the console."""

from __future__ import annotations

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as HttpClient

from cases.models import ApiKey, Case, CaseEvent, Client, InputRequest
from tests.cases.admin.conftest import make_answer_url, make_page_url, send_answer, sign_in
from tests.cases.factories import make_api_key

LIST = "/admin/cases/case/"


def assert_unanswered(case: Case) -> None:
    question = InputRequest.objects.get(case=case)
    assert (question.status, question.answer) == ("PENDING", "")
    assert CaseEvent.objects.count() == 0
    assert LogEntry.objects.count() == 0


def test_a_stranger_is_sent_to_the_login(waiting_case: Case) -> None:
    for url in (LIST, make_page_url(waiting_case), make_answer_url(waiting_case)):
        for response in (HttpClient().get(url), HttpClient().post(url)):
            assert response.status_code == 302
            assert response.headers["Location"].startswith("/admin/login/?next=")
    assert_unanswered(waiting_case)


def test_a_user_who_is_no_staff_is_sent_to_the_login(waiting_case: Case) -> None:
    browser = sign_in("pat", "cases.view_case", "cases.answer_case", is_staff=False)

    responses = [browser.get(make_page_url(waiting_case)), send_answer(browser, waiting_case)]

    assert [response.status_code for response in responses] == [302, 302]
    assert_unanswered(waiting_case)


def test_staff_without_permissions_see_no_case_and_no_question(waiting_case: Case) -> None:
    browser = sign_in("nora")

    responses = [browser.get(LIST), browser.get(make_page_url(waiting_case)), send_answer(browser, waiting_case)]
    index = browser.get("/admin/")

    assert [response.status_code for response in responses] == [403, 403, 403]
    assert index.status_code == 200
    assert "/admin/cases/case/" not in index.content.decode()
    assert_unanswered(waiting_case)


def test_permission_to_answer_is_worth_nothing_without_permission_to_see(waiting_case: Case) -> None:
    browser = sign_in("nora", "cases.answer_case")

    response = send_answer(browser, waiting_case)

    assert response.status_code == 403
    assert_unanswered(waiting_case)


def test_a_reader_sees_the_question_but_gets_no_form_and_cannot_answer(reader: HttpClient, waiting_case: Case) -> None:
    page = reader.get(make_page_url(waiting_case)).content.decode()
    response = send_answer(reader, waiting_case)

    assert "Old name or new name?" in page
    assert "your account may not answer it" in page
    assert "<textarea" not in page
    assert response.status_code == 403
    assert_unanswered(waiting_case)


def test_the_form_is_worth_nothing_without_its_token(waiting_case: Case, support: HttpClient) -> None:
    careless = HttpClient(enforce_csrf_checks=True)
    careless.cookies = support.cookies

    response = send_answer(careless, waiting_case)

    assert response.status_code == 403
    assert_unanswered(waiting_case)


@pytest.mark.parametrize("verb", ["add/", "{id}/delete/"])
def test_nobody_adds_or_deletes_a_case(admin: HttpClient, waiting_case: Case, verb: str) -> None:
    url = LIST + verb.format(id=waiting_case.id)

    responses = [admin.get(url), admin.post(url, {"post": "yes"})]

    assert [response.status_code for response in responses] == [403, 403]
    assert Case.objects.count() == 1


def test_nobody_changes_a_case_through_its_page(admin: HttpClient, waiting_case: Case) -> None:
    admin.post(make_page_url(waiting_case), {"status": "COMPLETED", "objective": "Something else"})

    waiting_case.refresh_from_db()
    assert (waiting_case.status, waiting_case.objective) == ("INPUT_NEEDED", "Get Maya's W-9")


def test_a_superuser_switches_a_key_off_and_sees_no_digest(admin: HttpClient) -> None:
    row, key = make_api_key()
    url = f"/admin/cases/apikey/{row.pk}/change/"

    page = admin.get(url).content.decode()
    response = admin.post(url, {"name": "changed", "prefix": "changed", "digest": "changed"})

    stored = ApiKey.objects.get()
    assert row.prefix in page
    assert row.digest not in page
    assert key not in page
    assert response.status_code == 302
    assert (stored.is_active, stored.prefix, stored.name, stored.digest) == (False, row.prefix, row.name, row.digest)


def test_support_sees_keys_but_cannot_switch_them(db: None) -> None:
    row, _ = make_api_key()
    browser = sign_in("sam", "cases.view_apikey", "cases.change_apikey", "cases.view_client", "cases.change_client")
    urls = [f"/admin/cases/apikey/{row.pk}/change/", f"/admin/cases/client/{row.client_id}/change/"]

    for url in urls:
        assert browser.get(url).status_code == 200
        assert browser.post(url, {"name": "changed"}).status_code == 403

    assert ApiKey.objects.get().is_active
    assert Client.objects.get().name == row.client.name


def test_nobody_makes_or_deletes_clients_and_keys_here(admin: HttpClient) -> None:
    row, _ = make_api_key()
    urls = [
        "/admin/cases/apikey/add/",
        "/admin/cases/client/add/",
        f"/admin/cases/apikey/{row.pk}/delete/",
        f"/admin/cases/client/{row.client_id}/delete/",
    ]

    assert [admin.post(url, {"post": "yes"}).status_code for url in urls] == [403, 403, 403, 403]
    assert (Client.objects.count(), ApiKey.objects.count()) == (1, 1)


def test_an_api_key_opens_no_page_of_the_console(waiting_case: Case) -> None:
    _, key = make_api_key(client=waiting_case.client)

    response = HttpClient().get(make_page_url(waiting_case), HTTP_X_API_KEY=key)

    assert response.status_code == 302


def test_an_unknown_page_of_the_console_is_a_page(admin: HttpClient) -> None:
    response = admin.get("/admin/nothing/here/")

    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(response.content)
