"""Acknowledged messages are deleted many to a call, also when the worker ends, and a refusal stops nobody."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings
from kombu import Connection
from kombu.asynchronous import Hub, set_event_loop

from offload.celery import OffloadCelery
from tests.offload.conftest import QUEUE
from tests.offload.sqs_endpoint import Fault, SqsEndpoint


@pytest.fixture
def channel(endpoint: SqsEndpoint, publisher: OffloadCelery) -> Iterator[Any]:
    """A channel on an event loop that the test runs by hand, at an endpoint that behaves."""
    endpoint.behave()
    endpoint.queues.clear()
    with ExitStack() as cleanup:
        set_event_loop(Hub())
        cleanup.callback(set_event_loop, None)
        options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | {"wait_time_seconds": 0, "own_pool": "acknowledge"}
        connection = cleanup.enter_context(
            Connection("sqs://", transport="offload.sqs:Transport", transport_options=options)
        )
        yield connection.channel()
    endpoint.behave()


def take(channel: Any, publisher: OffloadCelery, count: int) -> list[Any]:
    publisher.send_batch("queue_app.nothing", [[number] for number in range(count)])
    messages: list[Any] = []
    while len(messages) < count:
        found = channel._receive_message(queue=QUEUE, max_number_of_messages=10)["Messages"]
        messages += [channel.Message(each, channel=channel) for each in channel._messages_to_python(found, QUEUE)]
    for message in messages:
        channel.qos.append(message, message.delivery_tag)
    return messages


def test_ten_messages_are_deleted_in_one_call_and_their_places_are_free_at_once(
    channel: Any, publisher: OffloadCelery, endpoint: SqsEndpoint
) -> None:
    messages = take(channel, publisher, 12)

    for message in messages:
        message.ack()

    assert endpoint.calls["DeleteMessageBatch"] == 1
    assert endpoint.calls["DeleteMessage"] == 0
    assert len(endpoint.queues[QUEUE]) == 2
    channel.qos._flush()
    assert not channel.qos._delivered


def test_what_is_left_is_deleted_when_the_channel_closes(
    channel: Any, publisher: OffloadCelery, endpoint: SqsEndpoint
) -> None:
    for message in take(channel, publisher, 3):
        message.ack()
    assert len(endpoint.queues[QUEUE]) == 3

    channel.close()

    assert endpoint.queues[QUEUE] == []


def test_a_refused_deletion_is_logged_and_forgotten(
    channel: Any, publisher: OffloadCelery, endpoint: SqsEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    for message in take(channel, publisher, 3):
        message.ack()
    endpoint.play(Fault.FORBIDDEN, "DeleteMessageBatch")

    with caplog.at_level(logging.WARNING, "offload.sqs"):
        channel.delete_acknowledged()
        channel.delete_acknowledged()

    assert [record.getMessage()[:50] for record in caplog.records] == [
        "SQS did not delete 3 messages, which come again: A"
    ]
    assert len(endpoint.queues[QUEUE]) == 3
