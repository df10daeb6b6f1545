"""An SQS endpoint that takes every message, keeps none and counts the calls; must not be used to receive."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class CountingQueue:
    """`calls` by name of the action; `messages` is how many were sent in all."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.messages = 0
        self.url = ""

    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Returns what SQS would (JSON protocol), as far as kombu and boto3 read it."""
        self.calls[action] += 1
        name = asked.get("QueueName") or "queue"
        match action:
            case "SendMessageBatch":
                self.messages += len(asked["Entries"])
                return {"Successful": [{"Id": entry["Id"], "MessageId": entry["Id"]} for entry in asked["Entries"]]}
            case "SendMessage":
                self.messages += 1
                return {"MessageId": str(self.messages)}
            case "ListQueues":
                return {"QueueUrls": [f"{self.url}/000000000000/{asked.get('QueueNamePrefix', name)}"]}
            case "GetQueueAttributes":
                return {"Attributes": {"ApproximateNumberOfMessages": "0"}}
        return {"QueueUrl": f"{self.url}/000000000000/{name}"}


@contextmanager
def run_counting_queue() -> Iterator[CountingQueue]:
    """Yields the endpoint, served by threads of this process."""
    queue = CountingQueue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two packets, and the second would wait 40 ms for the acknowledgement of the first.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = queue.answer(self.headers["X-Amz-Target"].rpartition(".")[2], asked)
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """One line a call would be most of the cost."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        queue.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield queue
        finally:
            server.shutdown()
            thread.join()
