"""Probes: a process that answers is alive; what it needs and does not reach is named, and decides only if it must."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import JsonResponse
from django.test import Client, RequestFactory

from offload import health
from offload.celery import app
from offload.models import Pulse
from offload.pulses import tell
from tests.offload.sqs_endpoint import Fault, SqsEndpoint

ALL_UP = {"database": "up", "migrations": "up", "queue": "up", "beat": "up"}


@pytest.fixture(autouse=True)
def _nothing_known(endpoint: SqsEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test asks the endpoint as a new process would."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint.url)
    forget()
    endpoint.behave()
    with app.connection_or_acquire() as pooled:
        pooled.collect()
    yield
    endpoint.behave()
    with app.connection_or_acquire() as pooled:
        pooled.collect()
    forget()


@pytest.fixture
def beat(transactional_db: None) -> None:
    tell(Pulse.BEAT, Pulse.BEAT)
    # A process reads every migration once, which takes its time on a busy machine.
    MigrationLoader(connection)


def forget() -> None:
    health.database.forget()
    health.queue.forget()


def ask_readyz() -> tuple[int, dict[str, Any]]:
    return read(health.answer_readyz(RequestFactory().get("/readyz")))


def read(response: JsonResponse) -> tuple[int, dict[str, Any]]:
    return response.status_code, json.loads(response.content)


def test_a_process_that_answers_is_alive() -> None:
    assert read(health.answer_livez(RequestFactory().get("/livez"))) == (200, {"ok": True})


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_takes_no_other_method(path: str) -> None:
    answer = Client(enforce_csrf_checks=True).post(path, {}, content_type="application/json")

    assert (answer.status_code, answer.headers["Allow"]) == (HTTPStatus.METHOD_NOT_ALLOWED, "GET, HEAD")
    assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


def test_a_process_that_reaches_everything_is_ready(beat: None) -> None:
    assert ask_readyz() == (200, {"ok": True, "data": ALL_UP})


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.FORBIDDEN])
def test_a_queue_that_fails_is_named_and_takes_no_process_out(fault: Fault, beat: None, endpoint: SqsEndpoint) -> None:
    endpoint.play(fault, "ListQueues", "CreateQueue", "GetQueueAttributes")

    told = {**ALL_UP, "queue": "down", "reasons": {"queue": health.NO_QUEUE}}
    assert ask_readyz() == (200, {"ok": True, "data": told})


def test_a_queue_that_hangs_is_named_within_the_bound(beat: None, endpoint: SqsEndpoint) -> None:
    endpoint.play(Fault.BLACK_HOLE, "ListQueues", "CreateQueue", "GetQueueAttributes")
    health.database.get(30)
    started = time.monotonic()

    status, told = ask_readyz()

    assert (status, told["data"]["queue"]) == (200, "down")
    assert time.monotonic() - started < health.LONGEST_WAIT_S + 1


def test_a_queue_that_is_back_is_seen(beat: None, endpoint: SqsEndpoint) -> None:
    endpoint.stop()
    assert ask_readyz()[1]["data"]["queue"] == "down"

    endpoint.start()
    forget()

    assert ask_readyz() == (200, {"ok": True, "data": ALL_UP})


def test_the_queue_is_asked_once_however_many_probes_come(beat: None, endpoint: SqsEndpoint) -> None:
    answers = [ask_readyz()[0] for _ in range(5)]

    assert answers == [200] * 5
    assert endpoint.calls["GetQueueAttributes"] == 1


def test_a_beat_that_was_not_heard_of_is_named_and_takes_no_process_out(transactional_db: None) -> None:
    told = {**ALL_UP, "beat": "down", "reasons": {"beat": health.NO_BEAT}}
    assert ask_readyz() == (200, {"ok": True, "data": told})


def test_a_beat_that_fell_silent_counts_as_none(beat: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE offload_pulse SET beaten_at = clock_timestamp() - interval '36 seconds'")

    assert ask_readyz()[1]["data"]["beat"] == "down"


def test_a_database_that_refuses_makes_a_process_not_ready(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "PORT", 9)

    status, told = ask_readyz()

    assert status == 503
    assert told["error"]["details"] == [{"field": "database", "message": health.NO_DATABASE}]
    assert told["error"]["message"] == "Not ready: database. See details."
    monkeypatch.undo()


def test_a_migration_that_is_not_applied_makes_a_process_not_ready(beat: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_has_all_migrations", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'offload' RETURNING app, name, applied")
        rows = cursor.fetchall()
    try:
        status, told = ask_readyz()
    finally:
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", rows)

    assert status == 503
    assert {"field": "migrations", "message": "Not applied: offload.0001_pulse. Run: manage.py migrate"} in (
        told["error"]["details"]
    )
    forget()
    assert ask_readyz()[0] == 200
