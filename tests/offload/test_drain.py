"""SIGTERM ends a worker without ending its work: what runs is finished and acknowledged, the rest is left to others."""

from __future__ import annotations

from offload.celery import OffloadCelery
from tests.offload.conftest import QUEUE
from tests.offload.processes import Worker
from tests.offload.sqs_endpoint import SqsEndpoint


def test_a_stopped_worker_finishes_and_acknowledges_what_runs(endpoint: SqsEndpoint, publisher: OffloadCelery) -> None:
    worker = Worker(endpoint.url)
    for number in (1, 2):
        publisher.send_task("queue_app.rest", [number, 2.0])
    worker.wait_for_line("begins", times=2, timeout=30)

    assert worker.stop() == 0

    assert worker.log.count("is done") == 2
    assert endpoint.queues[QUEUE] == []


def test_what_a_stopped_worker_had_not_begun_is_done_once_by_the_next(
    endpoint: SqsEndpoint, publisher: OffloadCelery
) -> None:
    first = Worker(endpoint.url)
    for number in range(6):
        publisher.send_task("queue_app.rest", [number, 1.0])
    first.wait_for_line("begins", times=2, timeout=30)
    assert first.stop() == 0

    second = Worker(endpoint.url)
    endpoint.wait_until_empty(QUEUE, timeout=30)
    assert second.stop() == 0

    done = [line.split("rest ")[1] for log in (first.lines, second.lines) for line in log if "is done" in line]
    assert sorted(done) == [f"{number} is done\n" for number in range(6)]


def test_what_arrives_while_a_worker_stops_is_done_once_by_it_or_left_to_the_next(
    endpoint: SqsEndpoint, publisher: OffloadCelery
) -> None:
    first = Worker(endpoint.url)
    publisher.send_task("queue_app.rest", [1, 3.0])
    first.wait_for_line("rest 1 begins", timeout=30)
    first.process.terminate()
    first.wait_for_line("Warm shutdown", timeout=10)

    # The poll that is open at this moment may still bring it.
    for number in (2, 3, 4):
        publisher.send_task("queue_app.rest", [number, 0.0])
    assert first.stop() == 0
    second = Worker(endpoint.url)
    endpoint.wait_until_empty(QUEUE, timeout=30)
    assert second.stop() == 0

    done = [line.split("rest ")[1] for log in (first.lines, second.lines) for line in log if "is done" in line]
    assert sorted(done) == [f"{number} is done\n" for number in (1, 2, 3, 4)]
