"""An SQS endpoint on loopback that can misbehave; speaks the few calls kombu makes and must not know Celery."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Fault(Enum):
    """What a call is answered instead of the truth."""

    FORBIDDEN = 403
    BAD_REQUEST = 400
    BROKEN = 500
    UNAVAILABLE = 503
    BLACK_HOLE = "accepts the request and never answers"


@dataclass
class Message:
    """One message of a queue; `receipt` is empty while it may be received."""

    body: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receipt: str = ""


class SqsError(Exception):
    """A 400 with SQS's own error type."""


class SqsEndpoint:
    """Start, stop (connections are then refused) and start again keep the port and the messages."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.queues: dict[str, list[Message]] = {}
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, Fault] = {}
        # Actions that these credentials may not call.
        self.denied: set[str] = set()
        self.open_sockets: set[socket.socket] = set()
        self.in_flight = 0
        self.is_closing = False
        self.server: Server | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.is_closing = False
        self.server = Server(("127.0.0.1", self.port), self)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuses new connections and, once what is being asked is answered, cuts the open ones."""
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()
        with self.changed:
            self.is_closing = True
            self.changed.notify_all()
            self.changed.wait_for(lambda: not self.in_flight, 2)
        for open_socket in list(self.open_sockets):
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def play(self, fault: Fault, *actions: str) -> None:
        """Answers these actions with the fault until `behave`; a poll that is already waiting is cut off."""
        with self.changed:
            self.faults = dict.fromkeys(actions, fault)
            self.calls.clear()
            self.changed.notify_all()

    def behave(self) -> None:
        with self.changed:
            self.faults = {}
            self.calls.clear()
            self.changed.notify_all()

    def lose_everything(self) -> None:
        """As a local endpoint that kept nothing over a restart: even the queues are gone."""
        with self.changed:
            self.queues.clear()
            self.calls.clear()

    def wait_for_calls(self, action: str, count: int, timeout: float = 15) -> None:
        """Returns once the action was called so often since the last `play` or `behave`; a faulted call counts."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.calls[action] >= count, timeout):
                raise AssertionError(f"{self.calls[action]} of {count} {action} within {timeout} s: {self.calls}")

    def wait_until_empty(self, queue: str, timeout: float = 15) -> None:
        """Returns once every message was received and deleted."""
        with self.changed:
            if not self.changed.wait_for(lambda: not self.queues.get(queue), timeout):
                raise AssertionError(f"{len(self.queues[queue])} messages left after {timeout} s: {self.calls}")

    def answer(self, action: str, params: dict[str, Any], client: socket.socket | None) -> dict[str, Any]:
        if action in self.denied:
            raise SqsError("AccessDenied")
        if action == "GetQueueUrl":
            if params["QueueName"] not in self.queues:
                raise SqsError("QueueDoesNotExist")
            return {"QueueUrl": f"{self.url}/000000000000/{params['QueueName']}"}
        if action == "ListQueues":
            names = [name for name in self.queues if name.startswith(params.get("QueueNamePrefix", ""))]
            return {"QueueUrls": [f"{self.url}/000000000000/{name}" for name in names]}
        if action == "CreateQueue":
            with self.changed:
                self.queues.setdefault(params["QueueName"], [])
            return {"QueueUrl": f"{self.url}/000000000000/{params['QueueName']}"}
        name = params["QueueUrl"].rsplit("/", 1)[-1]
        with self.changed:
            if name not in self.queues:
                raise SqsError("QueueDoesNotExist")
            answer = self._answer_queue(action, params, self.queues[name], client)
            self.changed.notify_all()
            return answer

    def _answer_queue(
        self, action: str, params: dict[str, Any], messages: list[Message], client: socket.socket | None
    ) -> dict[str, Any]:
        match action:
            case "SendMessage":
                message = Message(params["MessageBody"])
                messages.append(message)
                return {"MessageId": message.id}
            case "SendMessageBatch":
                sent = [Message(entry["MessageBody"]) for entry in params["Entries"]]
                messages.extend(sent)
                return {
                    "Successful": [
                        {"Id": entry["Id"], "MessageId": message.id}
                        for entry, message in zip(params["Entries"], sent, strict=True)
                    ]
                }
            case "ReceiveMessage":
                return self._receive(params, messages, client)
            case "DeleteMessage":
                messages[:] = [message for message in messages if message.receipt != params["ReceiptHandle"]]
            case "DeleteMessageBatch":
                handles = {entry["ReceiptHandle"] for entry in params["Entries"]}
                messages[:] = [message for message in messages if message.receipt not in handles]
            case "ChangeMessageVisibility":
                for message in messages:
                    if message.receipt == params["ReceiptHandle"] and params["VisibilityTimeout"] == 0:
                        message.receipt = ""
            case "GetQueueAttributes":
                return {"Attributes": {"ApproximateNumberOfMessages": str(len(messages))}}
        return {}

    def _receive(self, params: dict[str, Any], messages: list[Message], client: socket.socket | None) -> dict[str, Any]:
        """Waits for a message; one whose reader hung up stays for the next reader."""
        end = time.monotonic() + params.get("WaitTimeSeconds", 0)
        while not (ready := [message for message in messages if not message.receipt]):
            left = end - time.monotonic()
            if left <= 0 or self.faults or self.is_closing or not self.changed.wait(left):
                return {}
        if client is not None and select.select([client], [], [], 0)[0]:
            return {}
        taken = ready[: params.get("MaxNumberOfMessages", 1)]
        for message in taken:
            message.receipt = str(uuid.uuid4())
        return {
            "Messages": [
                {
                    "MessageId": message.id,
                    "Body": message.body,
                    "ReceiptHandle": message.receipt,
                    "Attributes": {"ApproximateReceiveCount": "1"},
                }
                for message in taken
            ]
        }


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], endpoint: SqsEndpoint) -> None:
        self.endpoint = endpoint
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two packets, and the second would wait 40 ms for the acknowledgement of the first.
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.endpoint.open_sockets.add(self.connection)

    def finish(self) -> None:
        self.server.endpoint.open_sockets.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def do_POST(self) -> None:
        endpoint = self.server.endpoint
        with endpoint.changed:
            endpoint.in_flight += 1
        try:
            self._answer(endpoint)
        finally:
            with endpoint.changed:
                endpoint.in_flight -= 1
                endpoint.changed.notify_all()

    def _answer(self, endpoint: SqsEndpoint) -> None:
        action = self.headers["X-Amz-Target"].rsplit(".", 1)[-1]
        params = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with endpoint.changed:
            fault = endpoint.faults.get(action)
            endpoint.calls[action] += 1
            endpoint.changed.notify_all()
            if fault is Fault.BLACK_HOLE:
                endpoint.changed.wait_for(lambda: endpoint.faults.get(action) is not Fault.BLACK_HOLE)
                self.close_connection = True
                return
        if fault is not None:
            self._write(fault.value, {"__type": f"com.amazonaws.sqs#{fault.name}", "message": fault.name})
            return
        try:
            self._write(200, endpoint.answer(action, params, self.connection))
        except SqsError as error:
            self._write(400, {"__type": f"com.amazonaws.sqs#{error}", "message": str(error)})

    def _write(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing: the tests read counters."""
