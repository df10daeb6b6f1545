"""Probes: a process that answers is alive; what it needs and does not reach is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.http import JsonResponse
from django.test import RequestFactory

from offload import health
from offload.celery import app
from tests.offload.sqs_endpoint import Fault, SqsEndpoint


@pytest.fixture(autouse=True)
def _nothing_known(endpoint: SqsEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test asks the endpoint as a new process would."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint.url)
    monkeypatch.setattr(health, "_queue_asked_at", float("-inf"))
    endpoint.behave()
    with app.connection_or_acquire() as pooled:
        pooled.collect()
    yield
    endpoint.behave()
    with app.connection_or_acquire() as pooled:
        pooled.collect()


def ask_readyz() -> tuple[int, dict[str, Any]]:
    return read(health.answer_readyz(RequestFactory().get("/readyz")))


def read(response: JsonResponse) -> tuple[int, dict[str, Any]]:
    return response.status_code, json.loads(response.content)


def test_a_process_that_answers_is_alive() -> None:
    assert read(health.answer_livez(RequestFactory().get("/livez"))) == (200, {"ok": True})


@pytest.mark.django_db
def test_a_process_that_reaches_database_and_queue_is_ready() -> None:
    assert ask_readyz() == (200, {"ok": True, "data": {"database": "up", "queue": "up"}})


@pytest.mark.django_db
@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.FORBIDDEN])
def test_a_queue_that_answers_with_an_error_is_named(fault: Fault, endpoint: SqsEndpoint) -> None:
    endpoint.play(fault, "ListQueues", "CreateQueue", "GetQueueAttributes")

    assert ask_readyz() == (503, not_ready("queue"))


@pytest.mark.django_db
def test_a_queue_that_refuses_is_named_and_its_return_is_seen(
    endpoint: SqsEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.stop()
    assert ask_readyz() == (503, not_ready("queue"))

    endpoint.start()
    monkeypatch.setattr(health, "_queue_asked_at", float("-inf"))

    assert ask_readyz()[0] == 200


@pytest.mark.django_db
def test_the_queue_is_asked_once_however_many_probes_come(endpoint: SqsEndpoint) -> None:
    answers = [ask_readyz()[0] for _ in range(5)]

    assert answers == [200] * 5
    assert endpoint.calls["GetQueueAttributes"] == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_whose_session_is_lost_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])

    assert ask_readyz() == (503, not_ready("database"))

    connection.close()
    assert ask_readyz()[0] == 200


def not_ready(part: str) -> dict[str, Any]:
    return {
        "ok": False,
        "error": {
            "code": "NOT_READY",
            "message": f"Not ready, because this does not answer: {part}.",
            "details": [{"field": part, "message": f"The {part} does not answer."}],
        },
    }
