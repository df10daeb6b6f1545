"""What a SIGKILL at the worst moment, or a dead queue, does to a case: it costs time and nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.stack import Stack, wait_for
from tests.live.test_first_case import ANSWER, W9

pytestmark = pytest.mark.live


def test_a_worker_killed_in_the_middle_of_a_send_loses_nothing_and_sends_nothing_twice(stack: Stack) -> None:
    stack.play_faults(send=[{"fault": "accept_then_hang", "seconds": 5}])
    case_id = stack.open_case()
    first = stack.wait_for_mail(case_id)
    assert stack.get_case(case_id)["status"] == "CREATED"

    stack.kill("worker")

    case = stack.wait_for_status(case_id, "RUNNING")
    [mail] = stack.list_sent(case_id)
    assert mail["message_id"] == first["message_id"]
    assert case["attemptCount"] == 1
    stack.reply(first["thread_id"], ANSWER, attachments=[W9])
    assert stack.wait_for_status(case_id, "COMPLETED")["result"]["taxId"] == "12-3456789"


def test_a_worker_killed_in_the_middle_of_an_evaluation_loses_nothing_and_tells_once(stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.wait_for_status(case_id, "RUNNING")
    stack.play_faults(read=[{"fault": "timeout", "seconds": 60}])
    stack.reply(outreach["thread_id"], ANSWER, attachments=[W9])
    stack.wait_until_played("read")
    assert stack.get_case(case_id)["status"] == "RUNNING"

    stack.kill("worker")

    assert stack.wait_for_status(case_id, "COMPLETED")["attemptCount"] == 1
    assert len(stack.wait_for_notices(case_id, 1)) == 1
    assert len(stack.list_sent(case_id)) == 1


def test_an_answer_of_the_provider_that_is_lost_is_asked_for_again_and_the_mail_goes_out_once(stack: Stack) -> None:
    stack.play_faults(send=["accept_then_drop", "no_ids"])

    case_id = stack.open_case()

    assert stack.wait_for_status(case_id, "RUNNING")["attemptCount"] == 1
    assert len(stack.list_sent(case_id)) == 1


def test_a_killed_web_process_loses_no_case_that_it_accepted(stack: Stack) -> None:
    case_id = stack.open_case()
    stack.kill("web")

    stack.wait_for_status(case_id, "RUNNING")
    assert len(stack.list_sent(case_id)) == 1


class Queue:
    """An SQS endpoint that a test can take away and bring back."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "SERVICES": "sqs",
            "PERSIST_STATE": "0",
            "STATE_DIR": str(self._directory),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        with (self._directory / "queue.log").open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "ministack"], env=env, stdout=log, stderr=log)
        wait_for("the queue to answer", self._connect)

    def _connect(self) -> bool | None:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return None
        return True

    def kill(self) -> None:
        """Takes the endpoint away, and every message with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    endpoint = Queue(tmp_path)
    endpoint.start()
    yield endpoint
    endpoint.kill()


def test_with_the_queue_down_cases_are_accepted_in_about_a_second_and_go_on_when_it_is_back(
    queue: Queue, tmp_path: Path
) -> None:
    (tmp_path / "stack").mkdir()
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    stack = Stack(tmp_path / "stack", AWS_ENDPOINT_URL_SQS=queue.url, **keys)
    try:
        stack.wait_for_status(stack.open_case(), "RUNNING")
        queue.kill()

        began = time.monotonic()
        first = stack.open_case()
        seconds = time.monotonic() - began
        second = stack.open_case()
        assert stack.get_case(first)["status"] == "CREATED"
        queue.start()

        assert seconds < 2
        for case_id in (first, second):
            stack.wait_for_status(case_id, "RUNNING", seconds=90)
            assert len(stack.list_sent(case_id)) == 1
    finally:
        stack.stop()


def test_a_killed_database_loses_nothing(stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.wait_for_status(case_id, "RUNNING")

    stack.kill("postgres")
    stack.reply(outreach["thread_id"], ANSWER, attachments=[W9])

    assert stack.wait_for_status(case_id, "COMPLETED", seconds=90)["attemptCount"] == 1
    notices = wait_for("the webhook", lambda: stack.list_notices(case_id) or None)
    assert len(notices) == 1
