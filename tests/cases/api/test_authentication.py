"""Who may use the API: the key in x-api-key, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
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


def test_a_key_that_is_switched_off_is_forbidden(api: Api) -> None:
    _, key = make_api_key(client=api.client, is_active=False)

    response = Api(api.client, key).post("/cases", make_body())

    assert response.status_code == 403
    assert read_error(response) == {"code": "FORBIDDEN", "message": "This API key is not active."}
    assert Case.objects.count() == 0


def test_a_key_of_a_client_that_is_switched_off_is_forbidden(db: None) -> None:
    owner = ClientFactory.create(is_active=False)
    _, key = make_api_key(client=owner)

    response = Api(owner, key).post("/cases", make_body())

    assert response.status_code == 403
    assert read_error(response)["code"] == "FORBIDDEN"
    assert Case.objects.count() == 0


def test_a_client_may_have_several_keys(api: Api) -> None:
    _, second = make_api_key(client=api.client, name="second")

    statuses = [Api(api.client, key).post("/cases", make_body()).status_code for key in (api.key, second)]

    assert statuses == [201, 201]
    assert set(Case.objects.values_list("client_id", flat=True)) == {api.client.pk}


def test_a_valid_key_is_looked_up_once_and_using_it_writes_nothing(api: Api) -> None:
    with CaptureQueriesContext(
        connection,
    ) as first:
        api.get(SOME_CASE)
    with CaptureQueriesContext(connection) as second:
        api.get(SOME_CASE)

    about_keys = [query["sql"] for query in first.captured_queries if "cases_apikey" in query["sql"]]
    assert len(about_keys) == 1
    assert about_keys[0].startswith("SELECT")
    assert not [query for query in second.captured_queries if "cases_apikey" in query["sql"]]
    assert ApiKey.objects.get().last_used_at is None


def test_a_key_that_is_switched_off_is_refused_within_ten_seconds(api: Api) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        assert api.get(SOME_CASE).status_code == 404
        ApiKey.objects.update(is_active=False)

        clock.shift(timedelta(seconds=SECONDS_REMEMBERED + 1))
        response = api.get(SOME_CASE)

    assert SECONDS_REMEMBERED <= 10
    assert response.status_code == 403


def test_a_key_works_from_the_moment_it_is_made_even_if_it_was_tried_before(api: Api) -> None:
    key = keys.make_key()
    early = Api(api.client, key).get(SOME_CASE)
    make_api_key_row(api.client, key)

    late = Api(api.client, key).get(SOME_CASE)

    assert (early.status_code, late.status_code) == (401, 404)


def make_api_key_row(client: Client, key: str) -> None:
    ApiKey.objects.create(client=client, prefix=keys.get_prefix(key), digest=keys.get_digest(key))
