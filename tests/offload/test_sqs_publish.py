"""Publishing to a dead queue fails soon and as one kind of error; batches are what single messages are."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from offload.celery import OffloadCelery
from tests.offload.conftest import QUEUE
from tests.offload.sqs_endpoint import Fault, Message, SqsEndpoint

EVERY_CALL = ("ListQueues", "CreateQueue", "GetQueueUrl", "GetQueueAttributes", "SendMessage", "SendMessageBatch")


@pytest.fixture(autouse=True)
def _behaving(endpoint: SqsEndpoint) -> Iterator[None]:
    endpoint.behave()
    yield
    endpoint.behave()
    endpoint.queues.clear()


def seconds_to_fail(publisher: OffloadCelery) -> float:
    start = time.monotonic()
    with pytest.raises(OperationalError):
        publisher.send_task("queue_app.nothing", [1], retry=False)
    return time.monotonic() - start


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.BAD_REQUEST, Fault.BROKEN, Fault.UNAVAILABLE])
def test_an_error_of_sqs_is_an_operational_error_at_the_first_message_and_later(
    fault: Fault, endpoint: SqsEndpoint, publisher: OffloadCelery
) -> None:
    endpoint.play(fault, *EVERY_CALL)
    assert seconds_to_fail(publisher) < 1.5
    endpoint.behave()
    publisher.send_task("queue_app.nothing", [1], retry=False)
    endpoint.play(fault, *EVERY_CALL)

    assert seconds_to_fail(publisher) < 1.0

    assert len(endpoint.queues[QUEUE]) == 1


def test_a_refused_connection_fails_within_about_a_second_at_the_first_message_and_later(
    endpoint: SqsEndpoint, publisher: OffloadCelery
) -> None:
    endpoint.stop()
    assert seconds_to_fail(publisher) < 1.5
    endpoint.start()
    publisher.send_task("queue_app.nothing", [1], retry=False)
    endpoint.stop()

    assert seconds_to_fail(publisher) < 1.0

    endpoint.start()
    publisher.send_task("queue_app.nothing", [1], retry=False)
    assert len(endpoint.queues[QUEUE]) == 2


def test_a_queue_that_swallows_everything_fails_within_three_seconds_at_the_first_message_and_later(
    endpoint: SqsEndpoint, publisher: OffloadCelery
) -> None:
    endpoint.play(Fault.BLACK_HOLE, *EVERY_CALL)
    assert seconds_to_fail(publisher) < 3.0
    endpoint.behave()
    publisher.send_task("queue_app.nothing", [1], retry=False)
    endpoint.play(Fault.BLACK_HOLE, *EVERY_CALL)

    assert seconds_to_fail(publisher) < 3.0


def test_a_message_to_a_queue_that_the_endpoint_lost_makes_the_queue_again(
    endpoint: SqsEndpoint, publisher: OffloadCelery
) -> None:
    publisher.send_task("queue_app.nothing", [1])
    endpoint.lose_everything()

    publisher.send_task("queue_app.nothing", [2])

    assert [read(message)[0] for message in endpoint.queues[QUEUE]] == [[2]]


def test_a_batch_sends_ten_messages_a_call_with_the_envelope_of_a_single_one(
    endpoint: SqsEndpoint, publisher: OffloadCelery
) -> None:
    publisher.send_task("queue_app.nothing", [0])
    endpoint.behave()

    assert publisher.send_batch("queue_app.nothing", [[number] for number in range(1, 24)]) == 23

    assert endpoint.calls["SendMessageBatch"] == 3
    assert endpoint.calls["SendMessage"] == 0
    single, *batch = [read(message) for message in endpoint.queues[QUEUE]]
    assert [args for args, _ in batch] == [[number] for number in range(1, 24)]
    assert all(envelope == single[1] for _, envelope in batch)


def test_a_batch_of_nothing_asks_the_queue_nothing(endpoint: SqsEndpoint, publisher: OffloadCelery) -> None:
    assert publisher.send_batch("queue_app.nothing", []) == 0

    assert not endpoint.calls


def test_a_batch_that_sqs_does_not_take_is_sent_one_by_one(endpoint: SqsEndpoint, publisher: OffloadCelery) -> None:
    endpoint.play(Fault.BAD_REQUEST, "SendMessageBatch")

    assert publisher.send_batch("queue_app.nothing", [[1], [2], [3]]) == 3

    assert [read(message)[0] for message in endpoint.queues[QUEUE]] == [[1], [2], [3]]


def test_a_batch_to_a_dead_queue_stops_at_the_first_failure_and_says_what_was_taken(
    endpoint: SqsEndpoint, publisher: OffloadCelery
) -> None:
    publisher.send_task("queue_app.nothing", [0])
    endpoint.play(Fault.UNAVAILABLE, "SendMessage", "SendMessageBatch")
    assert publisher.send_batch("queue_app.nothing", [[number] for number in range(25)]) == 0
    assert (endpoint.calls["SendMessageBatch"], endpoint.calls["SendMessage"]) == (1, 1)

    endpoint.stop()
    start = time.monotonic()
    assert publisher.send_batch("queue_app.nothing", [[number] for number in range(25)]) == 0
    assert time.monotonic() - start < 1.5

    endpoint.start()
    assert len(endpoint.queues[QUEUE]) == 1


def test_a_connection_that_cannot_be_made_fails_within_about_a_second(
    publisher: OffloadCelery, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With a full backlog the kernel drops what comes, as a network that swallows packets does.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{listener.getsockname()[1]}")

            assert seconds_to_fail(publisher) < 2.0


def read(message: Message) -> tuple[list[Any], dict[str, Any]]:
    """Returns the task's arguments, and the envelope without what differs from one message to the next."""
    envelope = json.loads(base64.b64decode(message.body))
    args, _, _ = json.loads(base64.b64decode(envelope.pop("body")))
    headers, properties = envelope["headers"], envelope["properties"]
    assert headers["id"] == properties["correlation_id"]
    for name in ("id", "root_id", "argsrepr"):
        del headers[name]
    for name in ("correlation_id", "delivery_tag", "reply_to"):
        properties.pop(name, None)
    return args, envelope
