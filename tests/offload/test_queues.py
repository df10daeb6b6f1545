"""The queue is made and mended on a real endpoint, and what a worker does at its start about one that is wrong."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from django.core.management import CommandError, call_command

from offload.doctor.places import Place
from offload.doctor.services import check_queue
from offload.queues import DEAD_SUFFIX, Found, check_at_start, find_danger, list_differences
from tests.offload.ministack import Ministack
from tests.offload.processes import CeleryProcess
from tests.offload.sqs_endpoint import Fault, SqsEndpoint

ROOT = Path(__file__).resolve().parents[2]
WANTED = {
    "VisibilityTimeout": "120",
    "MessageRetentionPeriod": "3600",
    "ReceiveMessageWaitTimeSeconds": "10",
}


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    started = Ministack(tmp_path_factory.mktemp("sqs"))
    yield started
    started.stop()


@pytest.fixture
def sqs(ministack: Ministack, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """A client of the endpoint; the settings name a queue that is not there yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", ministack.url)
    settings.OFFLOAD_QUEUE = f"queue-{uuid4()}"
    return boto3.client("sqs", region_name="us-east-1")


def run() -> list[str]:
    out = io.StringIO()
    call_command("ensure_queues", stdout=out)
    return out.getvalue().splitlines()


def read(sqs: Any, name: str) -> dict[str, str]:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes


def test_both_queues_are_made_once_with_all_that_offload_needs(sqs: Any, settings: Any) -> None:
    name = settings.OFFLOAD_QUEUE

    first, second = run(), run()

    assert first[:2] == [f"created {name}", f"created {name}-dead"]
    assert second == [f"The queue {name} is as it should be."]
    queue, dead = read(sqs, name), read(sqs, f"{name}-dead")
    assert {key: queue[key] for key in WANTED} == WANTED
    assert json.loads(queue["RedrivePolicy"]) == {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": 5}
    assert dead["MessageRetentionPeriod"] == "86400"


def test_a_queue_that_was_made_otherwise_is_mended_and_keeps_its_messages(sqs: Any, settings: Any) -> None:
    name = settings.OFFLOAD_QUEUE
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="look at case 1")

    changes = run()

    assert f"{name}: VisibilityTimeout 30 -> 120" in changes
    assert not any(line == f"created {name}" for line in changes)
    assert read(sqs, name)["VisibilityTimeout"] == "120"
    assert [message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]] == ["look at case 1"]


def test_a_dead_letter_queue_of_the_operators_own_stays_in_use(sqs: Any, settings: Any) -> None:
    name = settings.OFFLOAD_QUEUE
    own = f"{name}-mine"
    sqs.create_queue(QueueName=own)
    policy = {"deadLetterTargetArn": read(sqs, own)["QueueArn"], "maxReceiveCount": 1}
    sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(policy)})

    run()

    assert json.loads(read(sqs, name)["RedrivePolicy"]) == policy | {"maxReceiveCount": 5}
    assert sqs.list_queues(QueueNamePrefix=f"{name}-dead").get("QueueUrls", []) == []


def test_an_existing_queue_is_named_by_its_url(sqs: Any, settings: Any) -> None:
    name = settings.OFFLOAD_QUEUE
    settings.OFFLOAD_QUEUE_URL = sqs.create_queue(QueueName=name)["QueueUrl"]

    assert f"created {name}" not in run()
    assert read(sqs, name)["VisibilityTimeout"] == "120"

    settings.OFFLOAD_QUEUE_URL += "-gone"
    with pytest.raises(CommandError, match="Correct OFFLOAD_QUEUE_URL"):
        run()


@pytest.mark.parametrize(
    ("setting", "value"), [("QUEUE", "cases.fifo"), ("QUEUE_URL", "http://127.0.0.1/1/cases.fifo")]
)
def test_a_fifo_queue_is_refused(sqs: Any, settings: Any, setting: str, value: str) -> None:
    setattr(settings, f"OFFLOAD_{setting}", value)

    with pytest.raises(CommandError, match="standard one"):
        run()

    assert sqs.list_queues(QueueNamePrefix="cases").get("QueueUrls", []) == []


def test_a_queue_as_it_should_be_is_passed_without_a_word(sqs: Any, caplog: pytest.LogCaptureFixture) -> None:
    run()
    caplog.clear()

    assert check_at_start() == ""

    assert caplog.records == []


def test_a_difference_is_logged_with_the_command_that_mends_it(
    sqs: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run()
    settings.OFFLOAD_QUEUE_VISIBILITY_SECONDS = 300

    assert check_at_start() == ""

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "VisibilityTimeout is 120, not 300" in record.getMessage()
    assert "manage.py ensure_queues" in record.getMessage()


@pytest.mark.parametrize(("visibility", "is_refused"), [("45", True), ("46", False)])
def test_a_visibility_timeout_that_does_not_exceed_the_lease_is_a_danger(
    sqs: Any, settings: Any, visibility: str, is_refused: bool
) -> None:
    sqs.create_queue(QueueName=settings.OFFLOAD_QUEUE, Attributes={"VisibilityTimeout": visibility})

    assert bool(check_at_start()) is is_refused


@pytest.mark.parametrize("attributes", [{}, {"VisibilityTimeout": "two minutes"}])
def test_an_endpoint_that_does_not_tell_the_visibility_timeout_stops_nobody(attributes: dict[str, str]) -> None:
    assert find_danger(Found("http://127.0.0.1/1/cases", attributes)) == ""


def test_a_queue_that_is_not_there_yet_stops_nobody(sqs: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert check_at_start() == ""

    assert "run: manage.py ensure_queues" in caplog.text


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsEndpoint]:
    started = SqsEndpoint()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", started.url)
    yield started
    started.stop()


def test_credentials_that_may_not_read_the_queue_are_a_warning_that_names_the_permission(
    endpoint: SqsEndpoint, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    endpoint.answer("CreateQueue", {"QueueName": settings.OFFLOAD_QUEUE}, None)
    endpoint.denied.add("GetQueueAttributes")

    assert check_at_start() == ""

    assert "allow sqs:GetQueueAttributes" in caplog.text
    with pytest.raises(CommandError, match="allow sqs:GetQueueAttributes"):
        run()


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.FORBIDDEN, Fault.UNAVAILABLE])
def test_an_endpoint_that_does_not_answer_is_a_warning_and_a_sentence(
    fault: Fault, endpoint: SqsEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.play(fault, "GetQueueUrl")

    assert check_at_start() == ""

    assert "could not be checked" in caplog.text
    with pytest.raises(CommandError, match="SQS"):
        run()


# -- Real workers of the product's own application


def start_worker(url: str, queue: str) -> CeleryProcess:
    options = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    environment = {
        "AWS_ENDPOINT_URL_SQS": url,
        "OFFLOAD_QUEUE": queue,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    return CeleryProcess("offload", "worker", "-P", "threads", "-c", "1", *options, environment=environment)


def test_a_worker_refuses_a_queue_that_would_hand_out_its_running_events_again(
    sqs: Any, ministack: Ministack, settings: Any
) -> None:
    sqs.create_queue(QueueName=settings.OFFLOAD_QUEUE, Attributes={"VisibilityTimeout": "30"})

    worker = start_worker(ministack.url, settings.OFFLOAD_QUEUE)

    assert worker.process.wait(timeout=30) == 78
    worker.wait_for_line("which must exceed the lease of 45 s (OFFLOAD_LEASE_SECONDS). Run: manage.py ensure_queues")
    assert "Traceback" not in worker.log


def test_a_worker_starts_while_the_queue_is_away_and_takes_its_work_when_it_is_back(
    endpoint: SqsEndpoint,
) -> None:
    endpoint.stop()
    worker = start_worker(endpoint.url, "offload-tasks")
    try:
        worker.wait_for_line("The queue could not be checked", timeout=30)
        endpoint.start()
        endpoint.wait_for_calls("ReceiveMessage", 1, timeout=30)
        assert worker.is_alive
    finally:
        assert worker.stop() == 0


def test_the_command_says_what_is_wrong_without_a_trace(endpoint: SqsEndpoint) -> None:
    endpoint.stop()

    done = subprocess.run(
        [sys.executable, "manage.py", "ensure_queues"],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert "SQS did not answer when asked to look up the queue" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_finds_a_queue_that_is_missing_then_one_that_was_changed_then_dead_letters(
    sqs: Any, settings: Any
) -> None:
    place = Place("systemd")
    [missing] = check_queue(place)
    assert (missing.level.value, missing.command) == ("FAIL", "offload ensure_queues")
    run()
    assert [finding.level.value for finding in check_queue(place)] == ["ok", "ok", "ok"]

    url = sqs.get_queue_url(QueueName=settings.OFFLOAD_QUEUE)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
    dead = sqs.get_queue_url(QueueName=settings.OFFLOAD_QUEUE + DEAD_SUFFIX)["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody="a nudge")

    found = {finding.name: finding for finding in check_queue(place)}
    assert (found["queue settings"].level.value, found["queue settings"].command) == ("FAIL", "offload ensure_queues")
    assert found["dead letters"].level.value == "warn"
    assert found["dead letters"].found.startswith(f"1 in {settings.OFFLOAD_QUEUE}{DEAD_SUFFIX}:")


def test_an_endpoint_without_a_retention_period_is_not_asked_for_one_at_every_start() -> None:
    policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:elasticmq:0:offload-tasks-dead", "maxReceiveCount": 5})
    attributes = WANTED | {"RedrivePolicy": policy}
    del attributes["MessageRetentionPeriod"]

    assert list_differences(Found("http://queue:9324/0/offload-tasks", attributes)) == []
    assert list_differences(Found("http://queue:9324/0/offload-tasks", attributes | {"MessageRetentionPeriod": "60"}))
