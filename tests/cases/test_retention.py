"""What the API keeps about requests is forgotten when it is of no use any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from cases.models import Client, IdempotentAnswer, RequestAllowance
from cases.retention import BATCH, forget_old_requests
from tests.cases.factories import ClientFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def keep_answer(client: Client, key: str, age: timedelta) -> None:
    IdempotentAnswer.objects.create(
        client=client, key=key, request_hash="0" * 64, status=201, body="{}", created_at=NOW - age
    )


def add_allowances(count: int, empty_in: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO cases_requestallowance SELECT %s || n, clock_timestamp() + %s::interval"
            " FROM generate_series(1, %s) AS n",
            [f"ip:{empty_in} ", empty_in, count],
        )


def test_an_allowance_is_forgotten_once_it_is_whole_again() -> None:
    add_allowances(1, "-1 second")
    add_allowances(1, "1 minute")

    assert forget_old_requests(NOW) == 1
    assert [row.subject for row in RequestAllowance.objects.all()] == ["ip:1 minute 1"]


def test_a_kept_answer_lives_for_24_hours() -> None:
    acme = ClientFactory.create()
    keep_answer(acme, "old", timedelta(hours=24, microseconds=1))
    keep_answer(acme, "young", timedelta(hours=24))

    assert forget_old_requests(NOW) == 1
    assert IdempotentAnswer.objects.get().key == "young"


def test_more_than_one_batch_is_forgotten_and_a_second_run_finds_nothing() -> None:
    add_allowances(BATCH + 1, "-1 second")

    assert forget_old_requests(NOW) == BATCH + 1
    assert forget_old_requests(NOW) == 0
    assert RequestAllowance.objects.count() == 0
