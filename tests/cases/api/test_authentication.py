"""Who may use the API: the key in x-api-key, and nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from cases import keys
from cases.api.authentication import SECONDS_REMEMBERED
from cases.models import ApiKey, Case, Client
from tests.cases.api.conftest import Api, make_body, read_error
from tests.cases.factories import ClientFactory, make_api_key

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SOME_CASE = "/cases/7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "off_12345678_" + "k" * 43,
        "off_12345678_" + "k" * 42 + "\xe9",
        "off_12345678_" + "k" * 42 + "\x00",
        "k" * 8_000,
        "Bearer off_12345678_" + "k" * 43,
    ],
)
def test_a_key_that_nobody_has_is_unauthorized_whatever_its_form(api: Api, key: str) -> None:
    response = api.send("POST", "/cases", make_body(), HTTP_X_API_KEY=key)

    assert response.status_code == 401
    assert read_error(response) == {
        "code": "UNAUTHORIZED",
        "message": "Send a valid API key in the header x-api-key.",
    }
    assert response.headers["WWW-Authenticate"] == "ApiKey"
    assert Case.objects.count() == 0


@pytest.mark.parametrize(("method", "path"), [("POST", "/cases"), ("GET", SOME_CASE), ("POST", f"{SOME_CASE}/input")])
def test_every_route_wants_a_key(api: Api, method: str, path: str) -> None:
    response = api.http.generic(method, path, "{}", "application/json")

    assert response.status_code == 401
    assert json.loads(response.content)["error"]["code"] == "UNAUTHORIZED"


def test_a_key_in_the_query_or_in_another_header_is_no_key(api: Api) -> None:
    in_query = api.send("GET", f"{SOME_CASE}?x-api-key={api.key}", HTTP_X_API_KEY="")
    in_authorization = api.send("GET", SOME_CASE, HTTP_X_API_KEY="", HTTP_AUTHORIZATION=f"Bearer {api.key}")

    assert (in_query.status_code, in_authorization.status_code) == (401, 401)


def test_a_staff_session_is_no_key(api: Api) -> None:
    admin = get_user_model().objects.create_superuser("admin", password="a password of the tests")
    api.http.force_login(admin)

    response = api.send("GET", SOME_CASE, HTTP_X_API_KEY="")

    assert response.status_code == 401


@pytest.mark.parametrize(
    ("of_key", "of_client", "message"),
    [
        ({"is_active": False}, {}, "This API key is not active."),
        ({}, {"is_active": False}, "The client of this API key is not active."),
        ({"revoked_at": NOW - timedelta(days=1)}, {}, "This API key was revoked."),
        ({"expires_at": NOW}, {}, "This API key expired at 2026-11-24T10:00:00Z."),
        ({"revoked_at": NOW, "expires_at": NOW, "is_active": False}, {}, "This API key was revoked."),
    ],
    ids=["off", "client off", "revoked", "expired", "all of it"],
)
def test_a_key_that_is_worth_nothing_is_forbidden_and_the_answer_says_why(
    db: None, of_key: dict[str, Any], of_client: dict[str, Any], message: str
) -> None:
    owner = ClientFactory.create(**of_client)
    row, key = make_api_key(client=owner, **of_key)

    with time_machine.travel(NOW, tick=False):
        response = Api(owner, key).post("/cases", make_body())

    assert response.status_code == 403
    assert read_error(response) == {"code": "FORBIDDEN", "message": message}
    assert Case.objects.count() == 0
    row.refresh_from_db()
    assert row.last_used_at is None


def test_a_client_may_have_several_keys(api: Api) -> None:
    _, second = make_api_key(client=api.client, name="second")

    statuses = [Api(api.client, key).post("/cases", make_body()).status_code for key in (api.key, second)]

    assert statuses == [201, 201]
    assert set(Case.objects.values_list("client_id", flat=True)) == {api.client.pk}


def list_statements(api: Api) -> list[str]:
    """Returns the first words of what one request asks of the database, up to the view's own query."""
    with CaptureQueriesContext(connection) as asked:
        assert api.get(SOME_CASE).status_code == 404
    statements = [" ".join(query["sql"].split()) for query in asked.captured_queries]
    assert 'FROM "cases_case"' in statements[-1]
    return [name_statement(statement) for statement in statements[:-1]]


def name_statement(sql: str) -> str:
    names = {
        "WITH taken AS": "count the request",
        "SELECT extract(": "check the address",
        'SELECT "cases_apikey"."id"': "find the key",
        "UPDATE cases_apikey SET last_used_at": "note the use",
    }
    return next((name for beginning, name in names.items() if sql.startswith(beginning)), sql)


def test_a_key_that_is_remembered_costs_exactly_one_statement_before_the_view(api: Api) -> None:
    first, second = list_statements(api), list_statements(api)

    assert first == ["check the address", "find the key", "note the use", "count the request"]
    assert second == ["count the request"]


def test_a_key_that_is_looked_up_again_is_not_checked_as_a_stranger_s(api: Api) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        list_statements(api)
        clock.shift(timedelta(seconds=SECONDS_REMEMBERED))

        assert list_statements(api) == ["find the key", "count the request"]


def test_the_last_use_is_written_once_a_minute_at_most(api: Api) -> None:
    noted = []
    with time_machine.travel(NOW, tick=False) as clock:
        for seconds in (0, 50, 9, 10):
            clock.shift(timedelta(seconds=seconds))
            api.get(SOME_CASE)
            noted.append(ApiKey.objects.get().last_used_at)

    assert noted == [NOW, NOW, NOW, NOW + timedelta(seconds=69)]


@pytest.fixture
def broken_notes(transactional_db: None) -> Iterator[None]:
    """A database that refuses every change of a key."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;"
            "CREATE TRIGGER refuse BEFORE UPDATE ON cases_apikey EXECUTE FUNCTION refuse()"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuse ON cases_apikey; DROP FUNCTION refuse()")


def test_a_request_is_answered_even_if_its_use_of_the_key_cannot_be_noted(
    broken_notes: None, caplog: pytest.LogCaptureFixture
) -> None:
    row, key = make_api_key()

    response = Api(row.client, key).get(SOME_CASE)

    assert response.status_code == 404
    assert f"the use of API key {row.pk} could not be noted: not today" in caplog.text
    assert key not in caplog.text


def test_a_request_does_not_wait_for_somebody_who_holds_the_key_s_row(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    row, key = make_api_key()
    held, answered = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            ApiKey.objects.select_for_update().get(pk=row.pk)
            held.set()
            answered.wait(30)
        connection.close()

    with ThreadPoolExecutor(1) as pool, connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
        holding = pool.submit(hold)
        assert held.wait(30)
        with caplog.at_level(logging.WARNING, "cases.api.authentication"):
            response = Api(row.client, key).get(SOME_CASE)
        answered.set()
        holding.result()
        cursor.execute("RESET lock_timeout")

    assert response.status_code == 404
    assert "could not be noted" not in caplog.text
    assert ApiKey.objects.get().last_used_at is None


def test_a_key_that_is_remembered_does_not_outlive_its_expiry_by_a_moment(db: None) -> None:
    expires_at = NOW + timedelta(seconds=5)
    row, key = make_api_key(expires_at=expires_at)
    api = Api(row.client, key)

    with time_machine.travel(NOW, tick=False) as clock:
        at_first = api.get(SOME_CASE).status_code
        clock.move_to(expires_at - timedelta(milliseconds=1))
        just_before = list_statements(api)
        clock.move_to(expires_at)
        at_expiry = api.get(SOME_CASE)

    assert at_first == 404
    assert just_before == ["count the request"]
    assert at_expiry.status_code == 403
    assert read_error(at_expiry)["message"] == "This API key expired at 2026-11-24T10:00:05Z."


@pytest.mark.parametrize("change", [{"is_active": False}, {"revoked_at": NOW}], ids=["off", "revoked"])
def test_a_key_that_is_ended_is_refused_within_ten_seconds(api: Api, change: dict[str, Any]) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        assert api.get(SOME_CASE).status_code == 404
        ApiKey.objects.update(**change)

        clock.shift(timedelta(seconds=10))
        response = api.get(SOME_CASE)

    assert response.status_code == 403


def test_a_key_works_from_the_moment_it_is_made_even_if_it_was_tried_before(api: Api) -> None:
    key = keys.make_key()
    early = Api(api.client, key).get(SOME_CASE)
    make_api_key_row(api.client, key)

    late = Api(api.client, key).get(SOME_CASE)

    assert (early.status_code, late.status_code) == (401, 404)


def make_api_key_row(client: Client, key: str) -> None:
    ApiKey.objects.create(client=client, prefix=keys.get_prefix(key), digest=keys.get_digest(key))
