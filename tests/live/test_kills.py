"""What a SIGKILL at the worst moment, or a dead queue, does to a case: it costs time and nothing else."""

from __future__ import annotations

import time

import pytest

from tests.live.stack import Stack, wait_for
from tests.live.test_first_case import ANSWER

pytestmark = pytest.mark.live


def test_a_worker_killed_in_the_middle_of_a_send_loses_nothing_and_sends_nothing_twice(stack: Stack) -> None:
    stack.play_faults(send=[{"fault": "accept_then_hang", "seconds": 60}])
    case_id = stack.open_case()
    first = stack.wait_for_mail(case_id)
    assert stack.get_case(case_id)["status"] == "CREATED"

    stack.kill("worker")
    stack.restart()

    case = stack.wait_for_status(case_id, "RUNNING")
    [mail] = stack.list_sent(case_id)
    assert mail["message_id"] == first["message_id"]
    assert case["attemptCount"] == 1
    stack.reply(first["thread_id"], ANSWER)
    assert stack.wait_for_status(case_id, "COMPLETED")["result"]["taxId"] == "12-3456789"


def test_a_worker_killed_in_the_middle_of_an_evaluation_loses_nothing_and_tells_once(stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.wait_for_status(case_id, "RUNNING")
    stack.play_faults(read=[{"fault": "timeout", "seconds": 60}])
    stack.reply(outreach["thread_id"], ANSWER)
    stack.wait_until_played("read")
    assert stack.get_case(case_id)["status"] == "RUNNING"

    stack.kill("worker")
    stack.restart()

    assert stack.wait_for_status(case_id, "COMPLETED")["attemptCount"] == 1
    assert len(stack.wait_for_notices(case_id, 1)) == 1
    assert len(stack.list_sent(case_id)) == 1


def test_an_answer_of_the_provider_that_is_lost_is_asked_for_again_and_the_mail_goes_out_once(stack: Stack) -> None:
    stack.play_faults(send=["accept_then_drop", "accept_then_500", "no_ids"])

    case_id = stack.open_case()

    assert stack.wait_for_status(case_id, "RUNNING")["attemptCount"] == 1
    assert len(stack.list_sent(case_id)) == 1


def test_a_killed_web_process_loses_no_case_that_it_accepted(stack: Stack) -> None:
    case_id = stack.open_case()
    stack.kill("web")
    stack.restart()

    stack.wait_for_status(case_id, "RUNNING")
    assert len(stack.list_sent(case_id)) == 1


def test_with_the_queue_down_cases_are_accepted_in_about_a_second_and_go_on_when_it_is_back(stack: Stack) -> None:
    stack.kill("sqs")
    began = time.monotonic()
    first = stack.open_case()
    seconds = time.monotonic() - began
    second = stack.open_case()
    assert stack.get_case(first)["status"] == "CREATED"

    stack.restart()

    assert seconds < 3
    for case_id in (first, second):
        stack.wait_for_status(case_id, "RUNNING", seconds=90)
        assert len(stack.list_sent(case_id)) == 1


def test_a_killed_database_loses_nothing(stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.wait_for_status(case_id, "RUNNING")

    stack.kill("postgres")
    stack.restart()
    stack.reply(outreach["thread_id"], ANSWER)

    assert stack.wait_for_status(case_id, "COMPLETED", seconds=90)["attemptCount"] == 1
    notices = wait_for("the webhook", lambda: stack.list_notices(case_id) or None)
    assert len(notices) == 1
