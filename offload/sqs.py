"""What kombu 5.7's SQS transport lacks, so that no answer of SQS stops a worker; must not know any task.

`offload/celery.py` registers `Transport` under kombu's own alias, so `broker_url` stays "sqs://". What mypy is told
to ignore here are names that kombu has and its type stubs do not.

What stock kombu does with a failed ReceiveMessage: a refused connection or a 500 ends the worker with an
AttributeError, a 503 can leave it alive and never polling again, a 4xx ends it, and a connection that swallows
everything stalls it for ever. Here each of these is an empty poll. This holds for the pools that have kombu's event
loop, threads and prefork; gevent's polls through boto3 and is not mended here.
"""

import base64
import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pycurl
from botocore.exceptions import BotoCoreError, ClientError
from kombu.asynchronous.aws.connection import AsyncHTTPSConnection
from kombu.asynchronous.aws.sqs.connection import AsyncSQSConnection
from kombu.asynchronous.aws.sqs.message import AsyncMessage
from kombu.asynchronous.http.curl import CurlClient
from kombu.exceptions import BatchPublishError, OperationalError  # type: ignore[attr-defined]
from kombu.transport import SQS
from kombu.utils.json import dumps
from kombu.utils.uuid import uuid

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5
# What a long poll may take beyond its own wait before the connection counts as dead.
POLL_GRACE_S = 5
PAUSE_AFTER_BAD_POLL_S = 1.0
LOG_EVERY_S = 60.0
# An acknowledged message is hidden for the visibility timeout anyway, so nobody waits for its deletion.
ACK_PACE_S = 1.0
# The same error has one name in SQS's JSON protocol and another in its query protocol.
MISSING_QUEUE = ("QueueDoesNotExist", "NonExistentQueue")

_last_good_poll: float | None = None


def last_good_poll_at() -> datetime | None:
    """Returns when SQS last answered a poll of this process, with messages or without; None before the first."""
    return None if _last_good_poll is None else datetime.fromtimestamp(_last_good_poll, UTC)


class Polls:
    """How the polls of one channel went: paces them after a bad answer and keeps the log readable."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.bad_in_a_row = 0
        self.queue_is_missing = False
        self._clock = clock
        self._quiet_until = float("-inf")
        self._is_announced = False

    def succeeded(self) -> None:
        """Notes a good answer; says that SQS is back if the log said that it was away."""
        global _last_good_poll
        _last_good_poll = time.time()
        if self._is_announced:
            logger.info("SQS answers again after %d bad polls.", self.bad_in_a_row)
        self.bad_in_a_row = 0
        self.queue_is_missing = False
        self._is_announced = False

    def failed(self, reason: str) -> None:
        """Notes a bad answer; logs the first and then at most one a minute, also when good ones come between."""
        self.bad_in_a_row += 1
        self.queue_is_missing = any(name in reason for name in MISSING_QUEUE)
        if self._clock() < self._quiet_until:
            return
        self._quiet_until = self._clock() + LOG_EVERY_S
        self._is_announced = True
        logger.warning("SQS did not answer a poll (%d in a row): %s. Polling on.", self.bad_in_a_row, reason)


class PollClient(CurlClient):
    """kombu's curl client, which takes the milliseconds that curl names for seconds."""

    _timeout_check: Callable[[], None]

    def _set_timeout(self, msecs: int) -> None:
        # With kombu's own, each bounded poll would leave a timer of hours behind (110 MB at 22 polls a second).
        # What is further off than a second is seen by the check that the client makes every second.
        if 0 <= msecs < 1000:
            self.hub.call_later(msecs / 1000, self._timeout_check)


class PollRequest(AsyncHTTPSConnection):
    """One ReceiveMessage with a deadline: kombu's curl client ignores the timeouts of its own Request."""

    def getrequest(self) -> Any:
        """Returns the request, with the timeouts set on the curl handle as the last step before it is sent."""
        request = super().getrequest()
        request.on_prepare = self._bound
        return request

    def _bound(self, curl: Any) -> None:
        curl.setopt(pycurl.CONNECTTIMEOUT, CONNECT_TIMEOUT_S)
        curl.setopt(pycurl.TIMEOUT, int(self.timeout))
        # Without this libcurl may use SIGALRM for a timeout, which is Celery's to use.
        curl.setopt(pycurl.NOSIGNAL, 1)


class PollConnection(AsyncSQSConnection):
    """kombu's asynchronous client, for which every answer is a list of messages, if need be an empty one."""

    def __init__(self, *args: Any, polls: Polls, timeout_s: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._polls = polls
        self._timeout_s = timeout_s

    def get_http_connection(self) -> PollRequest:
        """Returns a connection whose request ends by itself."""
        return PollRequest(timeout=self._timeout_s, http_client=self._httpclient)

    def _on_list_ready(self, parent: Any, markers: Any, operation: str, response: Any) -> Any:
        # kombu answers [] here after a 5xx, where its caller expects a dict, and raises after a 4xx.
        if response.status != self.STATUS_CODE_OK:
            body = (response.read() or b"")[:300].decode(errors="replace")
            self._polls.failed(f"HTTP {response.status} {response.reason} {body}".strip())
            return {}
        try:
            answer = super()._on_list_ready(parent, markers, operation, response)  # type: ignore[misc]
        except Exception as error:  # a proxy's page under a 200: whatever the parser thinks of it, poll on
            self._polls.failed(f"unreadable answer: {error!r}")
            return {}
        self._polls.succeeded()
        return answer


class SendBatch:
    """kombu's publish batch (`Producer.batch`) on SendMessageBatch; kombu itself has one only for Redis."""

    def __init__(self, channel: "Channel", max_size: int) -> None:
        self.channel = channel
        self._max_size = min(max_size, SQS.SQS_MAX_MESSAGES)
        self._queue = ""
        self._bodies: list[str] = []
        self._last: dict[str, Any] = {}

    def publish(self, message: dict[str, Any], **kwargs: Any) -> None:
        """Routes one message as kombu would; `Channel._put` hands it back to `add`."""
        self.channel.basic_publish(message, _publish_batch=self, **kwargs)

    def add(self, queue: str, message: dict[str, Any]) -> None:
        """Keeps one message; sends what is kept when the batch is full or for another queue."""
        if self._bodies and (queue != self._queue or len(self._bodies) >= self._max_size):
            self.flush()
        self._queue = queue
        self._last = message
        self._bodies.append(self.channel.encode(message))

    def add_alike(self, args: Sequence[Any]) -> None:
        """Adds the task of the message before for other arguments, as Celery and kombu would at ten times the cost.

        What differs from one message of a task to the next is a handful of ids (Celery's message protocol 2).
        """
        headers, properties, task_id = self._last["headers"], self._last["properties"], uuid()
        is_root = headers["root_id"] == headers["id"]
        _, options, embed = json.loads(base64.b64decode(self._last["body"]))
        self.add(
            self._queue,
            {
                **self._last,
                "body": base64.b64encode(json.dumps([args, options, embed]).encode()).decode(),
                "headers": {
                    **headers,
                    "id": task_id,
                    "root_id": task_id if is_root else headers["root_id"],
                    "argsrepr": repr(args),
                },
                "properties": {**properties, "correlation_id": task_id, "delivery_tag": uuid()},
            },
        )

    def flush(self) -> None:
        """Sends what is kept in one call.

        Raises OperationalError when SQS does not answer, BatchPublishError when it takes only a part or nothing.
        """
        bodies, self._bodies = self._bodies, []
        if not bodies:
            return
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        channel: Any = self.channel
        client = channel.sqs(queue=channel.canonical_queue_name(self._queue))
        try:
            answer = client.send_message_batch(QueueUrl=channel._new_queue(self._queue), Entries=entries)
        except ClientError as error:
            raise BatchPublishError(str(error)) from error
        except BotoCoreError as error:
            raise OperationalError(str(error)) from error
        if refused := answer.get("Failed"):
            raise BatchPublishError(f"SQS refused {len(refused)} of {len(bodies)} messages: {refused[0]}")

    def discard(self) -> None:
        """Forgets what is kept."""
        self._bodies = []

    def close(self) -> None:
        """Holds nothing that would have to be given back; kombu calls it at the end."""


class Channel(SQS.Channel):
    """A channel that keeps polling, finds its queue again after an endpoint lost it, and acknowledges in batches."""

    hub: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Receipt handles of acknowledged messages by the URL of their queue, until the next call deletes them.
        self._acknowledged: dict[str, list[str]] = {}
        super().__init__(*args, **kwargs)
        self._polls = Polls()

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:
        """Frees the message's place at once and has it deleted with others soon, or at once without an event loop.

        kombu makes a call for each message, which costs a worker more than Celery itself does. What a crash loses
        here comes again after the visibility timeout and finds nothing to do.
        """
        try:
            info = self.qos.get(delivery_tag).delivery_info
            url, handle = info["sqs_queue"], info["sqs_message"]["ReceiptHandle"]
        except KeyError:
            super().basic_ack(delivery_tag, multiple)
            return
        self.qos.ack(delivery_tag)
        is_first = not self._acknowledged
        handles = self._acknowledged.setdefault(url, [])
        handles.append(handle)
        if len(handles) >= SQS.SQS_MAX_MESSAGES or self.closed or self.hub is None:
            self.delete_acknowledged()
        elif is_first:
            self.hub.call_later(ACK_PACE_S, self.delete_acknowledged)

    def delete_acknowledged(self) -> None:
        """Deletes what was acknowledged, ten messages to a call; logs what SQS does not delete, and forgets it."""
        acknowledged, self._acknowledged = self._acknowledged, {}
        for url, handles in acknowledged.items():
            entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
            try:
                answer = self._client_of(url).delete_message_batch(QueueUrl=url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                logger.warning("SQS did not delete %d messages, which come again: %s", len(handles), error)
                continue
            # A handle that is too old is one of a message that somebody else has by now.
            if failed := [entry for entry in answer.get("Failed", ()) if entry["Code"] != "ReceiptHandleIsInvalid"]:
                logger.warning("SQS did not delete %d messages, which come again: %s", len(failed), failed[0])

    def _client_of(self, url: str) -> Any:
        named = (name for name, queue in self.predefined_queues.items() if queue["url"] == url)
        return self.sqs(queue=next(named, None))

    def close(self) -> None:
        """Deletes what was acknowledged, then closes."""
        self.delete_acknowledged()
        super().close()

    def asynsqs(self, queue: str | None = None) -> PollConnection:
        """Returns the polling client; a new one each time costs nothing and keeps no expired credentials."""
        attributes = self.get_message_attributes
        return PollConnection(
            sqs_connection=self.sqs(queue=queue),
            http_client=self._poll_client(),
            polls=self._polls,
            timeout_s=self.wait_time_seconds + POLL_GRACE_S,
            message_system_attribute_names=attributes["MessageSystemAttributeNames"],
            message_attribute_names=attributes["MessageAttributeNames"],
        )

    def _poll_client(self) -> PollClient:
        # Under kombu's own name on the event loop, so that a loop that closes takes the client with it.
        client = getattr(self.hub, "_current_http_client", None)
        if not isinstance(client, PollClient):
            client = self.hub._current_http_client = PollClient(self.hub)
        return client

    def _schedule_queue(self, queue: str) -> None:
        # An error here (signing, looking the queue up) reaches the event loop: from a timer it is logged and the
        # queue is never polled again, from elsewhere it ends the worker.
        try:
            super()._schedule_queue(queue)  # type: ignore[misc]
        except Exception as error:
            self._polls.failed(repr(error))
            self._poll_later(queue)

    def _loop1(self, queue: str, messages_fetched: int | None = None) -> None:
        if self._polls.bad_in_a_row:
            self._poll_later(queue)
        else:
            super()._loop1(queue, messages_fetched)  # type: ignore[misc]

    def _poll_later(self, queue: str) -> None:
        if self._polls.queue_is_missing:
            self._forget_queue_url(queue)
        self.hub.call_later(PAUSE_AFTER_BAD_POLL_S, self._schedule_queue, queue)

    def _forget_queue_url(self, queue: str) -> None:
        # kombu looks the queue up once and would send to the old address for ever. A predefined queue is never
        # created by us, so its address stays.
        if not self.predefined_queues:
            self._queue_cache.pop(self.canonical_queue_name(queue), None)

    def create_publish_batch(self, max_size: int) -> SendBatch:
        """Returns what `Producer.batch` collects messages in; `open_batch` is the same until the next one."""
        self.open_batch = SendBatch(self, max_size)
        return self.open_batch

    def encode(self, message: dict[str, Any]) -> str:
        """Returns the text that stands in the queue for a message."""
        body: str = dumps(message)
        return AsyncMessage().encode(body) if self.sqs_base64_encoding else body

    def _put(self, queue: str, message: dict[str, Any], _publish_batch: SendBatch | None = None, **kwargs: Any) -> None:
        if _publish_batch is not None:
            _publish_batch.add(queue, message)
            return
        try:
            super()._put(queue, message, **kwargs)
        except ClientError as error:
            if not any(name in str(error) for name in MISSING_QUEUE):
                raise
            self._forget_queue_url(queue)
            super()._put(queue, message, **kwargs)


class Transport(SQS.Transport):
    """kombu's SQS transport with our channel."""

    Channel = Channel

    # kombu knows only botocore's own errors as an outage. A 403, a 500 or a 503 from SQS is a ClientError, which
    # would leave `send_task` as it is and end a worker that is just connecting.
    connection_errors = (*SQS.Transport.connection_errors, ClientError)
    channel_errors = (*SQS.Transport.channel_errors, ClientError)

    implements = SQS.Transport.implements.extend(batch_publish=True)
