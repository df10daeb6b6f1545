"""A mail provider on a real socket that plays what a test tells it; must not know AgentMail's rules."""

import json
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire; `path` is raw, percent-encoding included."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Conversation(BaseHTTPRequestHandler):
    """Takes one request and plays the next scripted answer."""

    server: "_Server"
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            return
        # One request each, or the base class would wait for another and hold the connection open.
        self.close_connection = True
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        received = Received(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.provider.received.append(received)
        self.server.provider.next_answer()(self)

    def write(self, content: bytes) -> bool:
        """Returns whether the other side still listens."""
        try:
            self.wfile.write(content)
            self.wfile.flush()
        except OSError:
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


Answer = Callable[[Conversation], None]


class Provider:
    """The server; use `play` to script answers, in order. An unscripted request is answered 599."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.over = threading.Event()
        self._answers: deque[Answer] = deque()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL, with a path as the real one has."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v0"

    def play(self, *answers: Answer) -> None:
        """Appends answers to the script."""
        self._answers.extend(answers)

    def next_answer(self) -> Answer:
        """Returns what is played now."""
        return self._answers.popleft() if self._answers else say(599, {"message": "nothing scripted"})

    def close(self) -> None:
        """Stops the server and every answer that still drips."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # The default of 5 drops what many threads open at once.
    request_queue_size = 64

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        super().__init__(("127.0.0.1", 0), Conversation)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def say(status: int, content: object, **headers: str) -> Answer:
    """A complete answer; text and bytes go out as they are, all else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def answer(conversation: Conversation) -> None:
        conversation.send_response(status)
        for name, value in headers.items():
            conversation.send_header(name.replace("_", "-"), value)
        conversation.send_header("Content-Length", str(len(body)))
        conversation.end_headers()
        conversation.write(body)

    return answer


def say_raw(content: bytes) -> Answer:
    """Exactly these bytes, then the end of the connection."""

    def answer(conversation: Conversation) -> None:
        conversation.write(content)

    return answer


def reset() -> Answer:
    """The connection breaks after the request was taken."""

    def answer(conversation: Conversation) -> None:
        conversation.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The file objects of the handler hold the socket open beyond its own close().
        os.close(conversation.connection.detach())

    return answer


def stay_silent(provider: Provider) -> Answer:
    """Takes the request and never answers."""

    def answer(conversation: Conversation) -> None:
        provider.over.wait(30)

    return answer


def drip(provider: Provider, start: bytes, drop: bytes) -> Answer:
    """Sends the start, then a drop every 20 ms for 5 s or as long as somebody listens: no single silence is long."""

    def answer(conversation: Conversation) -> None:
        still_heard = conversation.write(start)
        for _ in range(250):
            if not still_heard or provider.over.wait(0.02):
                return
            still_heard = conversation.write(drop)

    return answer
