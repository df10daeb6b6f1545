"""The nudges of a web process: sent by a thread that a fork does not break, and all of them before it ends."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from urllib.request import urlopen
from uuid import UUID

import pytest

from tests.offload.conftest import QUEUE
from tests.offload.processes import ROOT
from tests.offload.sqs_endpoint import Fault, SqsEndpoint

EVERY_NUDGE = [str(UUID(int=number)) for number in range(25)]

FORK = """
import os, sys
from uuid import UUID
from tests.offload import nudging_app
from webhooks.nudge import send_nudge
send_nudge("queue_app.nothing", UUID(int=100))
child = os.fork()
if child:
    os.waitpid(child, 0)
else:
    for number in range(25):
        send_nudge("queue_app.nothing", UUID(int=number))
sys.exit()
"""

DEAD = """
from uuid import UUID
from tests.offload import nudging_app
from webhooks import nudge
print(nudge.send_nudge("queue_app.nothing", UUID(int=1)))
nudge._background.stop()
print(nudge.send_nudge("queue_app.nothing", UUID(int=2)))
"""


@pytest.fixture
def environment(endpoint: SqsEndpoint) -> dict[str, str]:
    endpoint.behave()
    endpoint.queues.clear()
    return os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "AWS_ENDPOINT_URL_SQS": endpoint.url}


def list_subjects(endpoint: SqsEndpoint) -> list[str]:
    """Returns what the messages in the queue are about."""
    envelopes = [json.loads(base64.b64decode(message.body)) for message in endpoint.queues[QUEUE]]
    return sorted(json.loads(base64.b64decode(envelope["body"]))[0][0] for envelope in envelopes)


@pytest.mark.parametrize("loading", [[], ["--preload"]])
def test_a_web_process_that_is_told_to_stop_sends_what_waits(
    endpoint: SqsEndpoint, environment: dict[str, str], loading: list[str]
) -> None:
    options = ["--bind", "127.0.0.1:0", "--worker-class", "gthread", "--threads", "2", "--no-control-socket", *loading]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "tests.offload.nudging_app", *options],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    listening = next(line for line in server.stderr if "Listening at: " in line)
    url = listening.split("Listening at: ")[1].split(" ")[0]

    with urlopen(url, timeout=30) as answer:
        taken = answer.read()
    server.terminate()
    server.communicate(timeout=30)

    assert taken == b"25"
    assert list_subjects(endpoint) == EVERY_NUDGE


def test_a_child_of_a_process_that_has_nudged_sends_its_own_and_not_its_parents(
    endpoint: SqsEndpoint, environment: dict[str, str]
) -> None:
    subprocess.run([sys.executable, "-c", FORK], cwd=ROOT, env=environment, check=True, timeout=60)

    assert list_subjects(endpoint) == [*EVERY_NUDGE, str(UUID(int=100))]


def test_a_dead_queue_costs_a_web_process_one_try_and_no_request(
    endpoint: SqsEndpoint, environment: dict[str, str]
) -> None:
    endpoint.play(Fault.UNAVAILABLE, "ListQueues", "CreateQueue", "GetQueueUrl", "SendMessage", "SendMessageBatch")

    ended = subprocess.run(
        [sys.executable, "-c", DEAD], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )

    assert ended.stdout.split() == ["True", "False"]
    assert "The queue took 0 of 1 queue_app.nothing" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert QUEUE not in endpoint.queues


def test_a_setting_that_no_client_can_be_made_of_quiets_the_nudges_too(environment: dict[str, str]) -> None:
    wrong = environment | {"AWS_ENDPOINT_URL_SQS": "not a URL"}

    ended = subprocess.run(
        [sys.executable, "-c", DEAD], cwd=ROOT, env=wrong, capture_output=True, text=True, check=True, timeout=60
    )

    assert ended.stdout.split() == ["True", "False"]
    assert ended.stderr.count("1 nudges were not sent; the sweep will repeat them") == 1
