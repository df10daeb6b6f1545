"""What kombu's own SQS transport does at the same faults: why offload/sqs.py exists.

When one of these fails because kombu has mended the fault, our answer to it can go. The poll that is never answered
is not here: to see that the stock transport waits on for it takes longer than a test should.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from kombu import Connection, Queue
from kombu.asynchronous import Hub, set_event_loop

from tests import settings
from tests.offload.conftest import QUEUE
from tests.offload.sqs_endpoint import Fault, SqsEndpoint

pytestmark = pytest.mark.long

StartPolling = Callable[[str], Hub]


@pytest.fixture
def start_polling(endpoint: SqsEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartPolling]:
    """Returns a worker's event loop in which a consumer of the named transport polls the endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint.url)
    endpoint.behave()
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | {"wait_time_seconds": 1}
    with ExitStack() as cleanup:

        def start(transport: str) -> Hub:
            hub = Hub()
            set_event_loop(hub)
            cleanup.callback(set_event_loop, None)
            connection = cleanup.enter_context(Connection("sqs://", transport=transport, transport_options=options))
            connection.Consumer([Queue(QUEUE)], on_message=print).consume()
            assert count_polls(hub, endpoint, within=5) == 1
            return hub

        yield start


def count_polls(hub: Hub, endpoint: SqsEndpoint, within: float) -> int:
    """Runs the loop until there was a poll, the time is over or an error left the loop, which ends a worker."""
    end = time.monotonic() + within
    with suppress(Exception):
        while not endpoint.calls["ReceiveMessage"] and time.monotonic() < end:
            hub.run_once()
    return endpoint.calls["ReceiveMessage"]


def polls_again_after(fault: Fault, hub: Hub, endpoint: SqsEndpoint) -> bool:
    endpoint.play(fault, "ReceiveMessage")
    assert count_polls(hub, endpoint, within=5) == 1
    endpoint.behave()
    return count_polls(hub, endpoint, within=2) == 1


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.BAD_REQUEST, Fault.BROKEN, Fault.UNAVAILABLE])
def test_kombus_own_transport_polls_no_more_after_an_error(
    fault: Fault, start_polling: StartPolling, endpoint: SqsEndpoint
) -> None:
    assert not polls_again_after(fault, start_polling("kombu.transport.SQS:Transport"), endpoint)


def test_our_transport_polls_again_in_the_same_loop(start_polling: StartPolling, endpoint: SqsEndpoint) -> None:
    assert polls_again_after(Fault.BROKEN, start_polling("offload.sqs:Transport"), endpoint)


def test_kombus_own_transport_polls_no_more_after_a_refused_connection(
    start_polling: StartPolling, endpoint: SqsEndpoint
) -> None:
    hub = start_polling("kombu.transport.SQS:Transport")
    endpoint.stop()
    endpoint.calls.clear()
    assert count_polls(hub, endpoint, within=2) == 0
    endpoint.start()

    assert count_polls(hub, endpoint, within=2) == 0
