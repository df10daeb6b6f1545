"""How many requests a caller may make: a minute's worth, over all web processes, and no stranger's guesses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from cases import keys
from cases.api import limits
from cases.models import ApiKey, Case, RequestAllowance
from tests.cases.api.conftest import Api, make_body, read_error
from tests.cases.factories import make_api_key
from tests.clocks import Clocks

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SOME_CASE = "/cases/7c9e6679-7425-40de-944b-e07fc1f90ae7"
THREADS = 20


@pytest.fixture(autouse=True)
def _forget_callers() -> None:
    """Each test meets the limits as a new process would."""
    limits._refused.clear()


def take_many(count: int, per_minute: int) -> list[float]:
    return [limits.take("key:1", per_minute) for _ in range(count)]


# -- The bucket


def test_a_minute_s_worth_may_come_at_once_and_the_next_request_waits_for_its_share(clocks: Clocks) -> None:
    assert take_many(3, per_minute=3) == [0, 0, 0]
    assert limits.take("key:1", 3) == pytest.approx(20, abs=0.1)


def test_an_allowance_refills_evenly(clocks: Clocks) -> None:
    take_many(3, per_minute=3)
    clocks.move_to(NOW + timedelta(seconds=20))

    assert limits.take("key:1", 3) == 0
    assert limits.take("key:1", 3) == pytest.approx(20, abs=0.1)


def test_a_long_pause_saves_up_one_minute_s_worth_and_no_more(clocks: Clocks) -> None:
    take_many(3, per_minute=3)
    clocks.move_to(NOW + timedelta(days=1))

    assert [wait == 0 for wait in take_many(4, per_minute=3)] == [True, True, True, False]


def test_a_database_whose_clock_is_set_back_locks_nobody_out(clocks: Clocks) -> None:
    take_many(3, per_minute=3)
    clocks.move_to(NOW - timedelta(hours=1))
    limits._refused.clear()

    assert limits.check("key:1", 3) == 0
    assert [wait == 0 for wait in take_many(4, per_minute=3)] == [True, True, True, False]


@pytest.mark.parametrize("per_minute", [1, 7, 59, 60, 100])
def test_who_keeps_to_the_limit_in_every_minute_never_meets_it(clocks: Clocks, per_minute: int) -> None:
    for minute in range(3):
        clocks.move_to(NOW + timedelta(minutes=minute))
        assert take_many(per_minute, per_minute) == [0] * per_minute
        assert limits.take("key:1", per_minute) > 0


def test_a_refused_request_uses_nothing_up(clocks: Clocks) -> None:
    take_many(3, per_minute=3)
    before = RequestAllowance.objects.get().empty_at
    take_many(5, per_minute=3)
    limits._refused.clear()
    take_many(5, per_minute=3)

    assert RequestAllowance.objects.get().empty_at == before
    clocks.move_to(NOW + timedelta(seconds=20))
    assert limits.take("key:1", 3) == 0


def test_a_refusal_is_repeated_without_a_statement_until_its_moment(clocks: Clocks) -> None:
    take_many(4, per_minute=3)

    with CaptureQueriesContext(connection) as during:
        clocks.process.shift(timedelta(seconds=19))
        waits = [limits.take("key:1", 3), limits.check("key:1", 3)]
    clocks.move_to(NOW + timedelta(seconds=20))

    assert all(waits)
    assert len(during) == 0
    assert limits.check("key:1", 3) == 0
    assert limits.take("key:1", 3) == 0


def test_a_check_says_the_same_as_the_next_request_would_meet_and_counts_nothing(clocks: Clocks) -> None:
    assert limits.check("key:1", 3) == 0
    assert RequestAllowance.objects.count() == 0

    take_many(2, per_minute=3)
    assert [limits.check("key:1", 3) for _ in range(5)] == [0] * 5

    take_many(1, per_minute=3)
    assert limits.check("key:1", 3) == pytest.approx(20, abs=0.1)


def test_callers_do_not_share_an_allowance(clocks: Clocks) -> None:
    take_many(4, per_minute=3)

    assert limits.take("key:2", 3) == 0


def test_without_a_limit_nothing_is_asked_or_counted(db: None) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert take_many(5, per_minute=0) == [0] * 5
        assert limits.check("key:1", 0) == 0

    assert len(asked) == 0


@pytest.mark.parametrize("already_used", [0, 2])
def test_many_at_once_never_get_more_than_the_limit(transactional_db: None, already_used: int) -> None:
    take_many(already_used, per_minute=5)
    together = Barrier(THREADS)

    def take_one() -> float:
        together.wait(30)
        try:
            return limits.take("key:1", 5)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        waits = [future.result() for future in [pool.submit(take_one) for _ in range(THREADS)]]

    refused = [wait for wait in waits if wait]
    assert len(waits) - len(refused) == 5 - already_used
    # The true wait is 12 s, less what the test itself took.
    assert all(4 < wait <= 12 for wait in refused)


# -- A key's limit


def test_a_key_over_its_limit_is_told_when_to_come_back_and_stores_nothing(
    api: Api, clocks: Clocks, settings: Settings
) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_KEY = 7
    accepted = [api.post("/cases", make_body()).status_code for _ in range(7)]

    response = api.post("/cases", make_body())

    assert accepted == [201] * 7
    assert response.status_code == 429
    assert read_error(response) == {
        "code": "RATE_LIMITED",
        "message": "Too many requests; wait as long as the header Retry-After says.",
    }
    # 60 / 7 = 8.57
    assert response.headers["Retry-After"] == "9"
    assert Case.objects.count() == 7


def test_a_client_that_waits_as_it_was_told_is_served(api: Api, clocks: Clocks, settings: Settings) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_KEY = 7
    for _ in range(8):
        response = api.get(SOME_CASE)

    clocks.move_to(NOW + timedelta(seconds=int(response.headers["Retry-After"])))

    assert response.status_code == 429
    assert api.get(SOME_CASE).status_code == 404


def test_each_key_of_a_client_has_a_limit_of_its_own(api: Api, clocks: Clocks, settings: Settings) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_KEY = 1
    _, second = make_api_key(client=api.client)

    statuses = [Api(api.client, key).get(SOME_CASE).status_code for key in (api.key, api.key, second)]

    assert statuses == [404, 429, 404]


def test_what_a_route_refuses_counts_and_an_unknown_route_does_not(
    api: Api, clocks: Clocks, settings: Settings
) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_KEY = 2

    unknown = [api.get("/nothing/here").status_code for _ in range(3)]
    refused = [api.send("GET", f"{SOME_CASE}/cancel").status_code, api.post("/cases", {}).status_code]

    assert unknown == [404] * 3
    assert refused == [405, 400]
    assert api.get(SOME_CASE).status_code == 429


# -- The limit of an address


def test_a_guesser_of_keys_is_refused_after_a_few_and_then_costs_no_statement(
    api: Api, clocks: Clocks, settings: Settings
) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_IP = 3
    guesses = [Api(api.client, keys.make_key()) for _ in range(3)]
    answers = [guess.post("/cases", make_body()).status_code for guess in guesses]

    refused = Api(api.client, keys.make_key()).post("/cases", make_body())
    with CaptureQueriesContext(connection) as flood:
        again = [Api(api.client, key).get(SOME_CASE).status_code for key in (keys.make_key(), "", "nonsense")]

    assert answers == [401, 401, 401]
    assert refused.status_code == 429
    assert read_error(refused)["code"] == "RATE_LIMITED"
    assert refused.headers["Retry-After"] == "20"
    assert again == [429, 429, 429]
    assert len(flood) == 0
    assert Case.objects.count() == 0


@pytest.mark.parametrize("sent", ["", "nonsense", "off_12345678_" + "k" * 43], ids=["none", "malformed", "unknown"])
def test_every_failure_counts_against_its_address(api: Api, clocks: Clocks, settings: Settings, sent: str) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_IP = 2

    assert [Api(api.client, sent).get(SOME_CASE).status_code for _ in range(3)] == [401, 401, 429]


def test_an_application_with_a_revoked_key_is_slowed_down_too(db: None, clocks: Clocks, settings: Settings) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_IP = 2
    row, key = make_api_key(revoked_at=NOW)

    assert [Api(row.client, key).get(SOME_CASE).status_code for _ in range(3)] == [403, 403, 429]


def test_an_office_behind_one_address_pays_nothing_for_valid_keys(api: Api, clocks: Clocks, settings: Settings) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_IP = 1
    colleagues = [Api(api.client, make_api_key(client=api.client)[1]) for _ in range(5)]

    assert [colleague.get(SOME_CASE).status_code for colleague in colleagues] == [404] * 5
    assert not RequestAllowance.objects.filter(subject__startswith="ip:").exists()


def test_a_key_that_was_accepted_goes_on_working_beside_a_guesser_and_one_that_was_not_must_wait(
    api: Api, clocks: Clocks, settings: Settings
) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_IP = 1
    assert api.get(SOME_CASE).status_code == 404
    guesser = Api(api.client, keys.make_key())
    _, unseen = make_api_key(client=api.client)

    guessed = [guesser.get(SOME_CASE).status_code for _ in range(2)]
    at_once = [Api(api.client, key).get(SOME_CASE).status_code for key in (api.key, unseen)]
    # Long enough that the key has to be looked up again.
    clocks.move_to(NOW + timedelta(seconds=30))
    later = [Api(api.client, key).get(SOME_CASE).status_code for key in (api.key, unseen)]

    assert guessed == [401, 429]
    assert at_once == [404, 429]
    assert later == [404, 429]
    assert ApiKey.objects.filter(last_used_at=None).count() == 1


def test_another_address_is_not_refused(api: Api, clocks: Clocks, settings: Settings) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_IP = 1
    guess = Api(api.client, keys.make_key())

    statuses = [
        guess.send("GET", SOME_CASE, REMOTE_ADDR=address).status_code
        for address in ("198.51.100.1", "198.51.100.1", "198.51.100.2")
    ]

    assert statuses == [401, 429, 401]


def test_an_invented_forwarded_address_does_not_get_around_the_limit(
    api: Api, clocks: Clocks, settings: Settings
) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_IP = 2
    guess = Api(api.client, keys.make_key())

    def send(forwarded: str) -> HttpResponse:
        return guess.send("GET", SOME_CASE, HTTP_X_FORWARDED_FOR=forwarded)

    without_proxy = [send(f"203.0.113.{number}").status_code for number in range(3)]
    settings.OFFLOAD_TRUSTED_PROXIES = 1
    behind_one = [send(f"203.0.113.{number}, 198.51.100.7").status_code for number in range(3)]
    honest = send("198.51.100.8")

    assert without_proxy == [401, 401, 429]
    assert behind_one == [401, 401, 429]
    assert honest.status_code == 401


@pytest.mark.parametrize(
    ("proxies", "forwarded", "remote", "counted"),
    [
        (0, "203.0.113.1", "198.51.100.1", "198.51.100.1"),
        (1, "203.0.113.1", "198.51.100.1", "203.0.113.1"),
        (1, "192.0.2.1, 203.0.113.1", "198.51.100.1", "203.0.113.1"),
        (2, "192.0.2.1,203.0.113.1", "198.51.100.1", "192.0.2.1"),
        (2, "192.0.2.9, 192.0.2.1 , 203.0.113.1", "198.51.100.1", "192.0.2.1"),
        (2, "203.0.113.1", "198.51.100.1", "198.51.100.1"),
        (1, "", "198.51.100.1", "198.51.100.1"),
        (1, "203.0.113.1, unknown", "198.51.100.1", "198.51.100.1"),
        (1, "203.0.113.999", "198.51.100.1", "198.51.100.1"),
        (1, "203.0.113.1,", "198.51.100.1", "198.51.100.1"),
        (0, "", "2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        (0, "", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        (0, "", "2001:db8:1:3::1", "2001:db8:1:3::/64"),
        (0, "", "::1", "::/64"),
        (0, "", "fe80::1%eth0", "fe80::/64"),
        (0, "", "::ffff:198.51.100.1", "198.51.100.1"),
        (1, "2001:db8:1:2:aaaa::1", "198.51.100.1", "2001:db8:1:2::/64"),
        # A server on a Unix socket names no address.
        (0, "", "", "unknown"),
    ],
)
def test_the_address_that_counts_is_the_one_that_the_outermost_trusted_proxy_saw(
    proxies: int, forwarded: str, remote: str, counted: str
) -> None:
    meta = {"REMOTE_ADDR": remote} | ({"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {})

    assert limits.find_address(meta, proxies) == counted


# -- More than one process, and a database that fails

REQUEST = """
import django
django.setup()
from django.test import Client
answer = Client(headers={"x-api-key": KEY}).get(PATH)
print(answer.status_code, answer.headers.get("Retry-After"))
"""


def send_from_another_process(key: str, **limit: str) -> str:
    """Returns status and Retry-After of one request that a second web process handles."""
    database = connection.settings_dict
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    done = subprocess.run(
        [sys.executable, "-c", REQUEST.replace("KEY", repr(key)).replace("PATH", repr(SOME_CASE))],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": url} | limit,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_a_key_s_limit_is_shared_by_all_processes(transactional_db: None, settings: Settings) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_KEY = 1
    row, key = make_api_key()

    here = Api(row.client, key).get(SOME_CASE).status_code
    there = send_from_another_process(key, OFFLOAD_RATE_LIMIT_PER_KEY="1")

    assert here == 404
    status, retry_after = there.split()
    assert status == "429"
    assert 1 <= int(retry_after) <= 60


def test_a_guesser_is_refused_by_all_processes_even_with_a_right_guess(
    transactional_db: None, settings: Settings
) -> None:
    settings.OFFLOAD_RATE_LIMIT_PER_IP = 1
    row, right = make_api_key()

    here = Api(row.client, keys.make_key()).get(SOME_CASE).status_code
    there = send_from_another_process(right, OFFLOAD_RATE_LIMIT_PER_IP="1")

    assert here == 401
    assert there.split()[0] == "429"
    assert ApiKey.objects.get().last_used_at is None


@pytest.fixture
def lost_table(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_requestallowance RENAME TO elsewhere")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE elsewhere RENAME TO cases_requestallowance")


def test_a_limit_that_cannot_be_counted_refuses_nobody(lost_table: None, caplog: pytest.LogCaptureFixture) -> None:
    row, key = make_api_key()

    known = Api(row.client, key).get(SOME_CASE)
    stranger = Api(row.client, keys.make_key()).get(SOME_CASE)

    assert (known.status_code, stranger.status_code) == (404, 401)
    assert "a request could not be counted against its limit" in caplog.text


def test_a_request_meets_its_own_error_when_the_database_is_away(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, key = make_api_key()
    api = Api(row.client, key)
    assert api.get(SOME_CASE).status_code == 404
    connection.close()
    # Port 9 refuses at once.
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PORT", "9")

        known, stranger = api.get(SOME_CASE), Api(row.client, keys.make_key()).get(SOME_CASE)

    assert (known.status_code, stranger.status_code) == (500, 500)
    assert read_error(known)["code"] == read_error(stranger)["code"] == "INTERNAL_ERROR"
