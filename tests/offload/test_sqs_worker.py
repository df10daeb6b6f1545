"""Real workers at a misbehaving SQS endpoint: each fault that ends or stalls kombu's own transport is survived."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
import time_machine

from offload.celery import OffloadCelery
from offload.sqs import Polls, last_good_poll_at
from tests.offload.conftest import QUEUE
from tests.offload.processes import Worker
from tests.offload.sqs_endpoint import Fault, SqsEndpoint


@pytest.fixture(scope="module")
def worker(endpoint: SqsEndpoint) -> Iterator[Worker]:
    started = Worker(endpoint.url)
    endpoint.wait_for_calls("ReceiveMessage", 1)
    yield started
    assert started.stop() == 0


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.BAD_REQUEST, Fault.BROKEN, Fault.UNAVAILABLE])
def test_a_worker_takes_the_next_task_after_a_poll_was_answered_by_an_error(
    fault: Fault, endpoint: SqsEndpoint, worker: Worker, publisher: OffloadCelery
) -> None:
    endpoint.play(fault, "ReceiveMessage")
    endpoint.wait_for_calls("ReceiveMessage", 1)
    endpoint.behave()

    publisher.send_task("queue_app.nothing", [1])

    endpoint.wait_until_empty(QUEUE, timeout=5)
    assert worker.is_alive


def test_a_worker_gives_up_a_poll_that_is_never_answered_and_takes_the_next_task(
    endpoint: SqsEndpoint, worker: Worker, publisher: OffloadCelery
) -> None:
    endpoint.play(Fault.BLACK_HOLE, "ReceiveMessage")
    # The second poll shows that the first was given up: it waits 1 s for a message and 5 s for an answer.
    endpoint.wait_for_calls("ReceiveMessage", 2, timeout=12)
    endpoint.behave()

    publisher.send_task("queue_app.nothing", [1])

    endpoint.wait_until_empty(QUEUE, timeout=5)
    assert worker.is_alive


def test_a_worker_pauses_a_second_between_polls_that_fail(endpoint: SqsEndpoint, worker: Worker) -> None:
    endpoint.play(Fault.BROKEN, "ReceiveMessage")
    endpoint.wait_for_calls("ReceiveMessage", 1)
    start = time.monotonic()

    endpoint.wait_for_calls("ReceiveMessage", 3)

    assert 1.8 < time.monotonic() - start < 4
    endpoint.behave()
    assert worker.is_alive


def test_a_queue_that_the_endpoint_lost_is_made_again(
    endpoint: SqsEndpoint, worker: Worker, publisher: OffloadCelery
) -> None:
    publisher.send_task("queue_app.nothing", [1])
    endpoint.wait_until_empty(QUEUE)
    endpoint.lose_everything()
    endpoint.wait_for_calls("CreateQueue", 1)

    publisher.send_task("queue_app.nothing", [2])

    endpoint.wait_until_empty(QUEUE, timeout=5)
    assert worker.is_alive


def test_a_secret_in_a_task_is_in_no_line_of_the_workers_log(
    endpoint: SqsEndpoint, worker: Worker, publisher: OffloadCelery
) -> None:
    secret = "off_3fk9a1b2_" + "Zz9-_" * 8 + "abc"

    publisher.send_task("queue_app.leak", [secret])

    endpoint.wait_until_empty(QUEUE)
    worker.wait_for_line("WARNING some.library: calling with off_3fk9a1b2_***")
    worker.wait_for_line("WARNING queue_app: the task has off_3fk9a1b2_***")
    worker.wait_for_line("ValueError: off_3fk9a1b2_***")
    assert secret not in worker.log
    assert "Zz9" not in worker.log


def test_a_worker_outlives_refused_connections_at_its_start_and_later(publisher: OffloadCelery) -> None:
    with ExitStack() as cleanup:
        endpoint = SqsEndpoint()
        cleanup.callback(endpoint.stop)
        endpoint.stop()
        worker = Worker(endpoint.url)
        cleanup.callback(worker.kill)
        worker.wait_for_line("Could not connect to the endpoint URL")
        endpoint.start()
        endpoint.wait_for_calls("ReceiveMessage", 1)

        endpoint.stop()
        worker.wait_for_line("SQS did not answer a poll (1 in a row): HTTP 599 Failed to connect")
        endpoint.start()

        worker.wait_for_line("SQS answers again after")
        assert worker.stop() == 0


def test_a_queue_that_is_away_is_logged_once_a_minute_and_its_return_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "offload.sqs")
    seconds = iter([0.0, 0.0, 59.0, 59.5, 61.0, 61.0])
    polls = Polls(clock=lambda: next(seconds))

    polls.failed("HTTP 503")
    polls.failed("HTTP 503")
    polls.succeeded()
    polls.failed("HTTP 500")
    polls.failed("HTTP 500")
    polls.succeeded()
    polls.succeeded()

    assert [record.getMessage() for record in caplog.records] == [
        "SQS did not answer a poll (1 in a row): HTTP 503. Polling on.",
        "SQS answers again after 2 bad polls.",
        "SQS did not answer a poll (2 in a row): HTTP 500. Polling on.",
        "SQS answers again after 2 bad polls.",
    ]


def test_the_time_of_the_last_good_poll_is_kept_and_a_bad_one_does_not_change_it() -> None:
    polls = Polls()
    with time_machine.travel("2026-11-24T10:00:00Z", tick=False) as clock:
        polls.succeeded()
        clock.shift(30)
        polls.failed("HTTP 503")

    assert last_good_poll_at() == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
