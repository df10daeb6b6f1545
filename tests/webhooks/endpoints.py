"""Real HTTP servers on the loopback that behave as clients' endpoints do at their worst; must not know the product."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Answer = Callable[["Endpoint", socket.socket], None]


@dataclass(frozen=True)
class Received:
    """One request as it arrived; header names are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Endpoint:
    """A server that reads each request and then does what `answer` says with the connection."""

    answer: Answer
    tls: ssl.SSLContext | None = None
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    # Set when the caller has closed the connection while the server was still writing or waiting.
    was_cut: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    bytes_sent: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path: str = "/hook", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def stop(self) -> None:
        self.stopping.set()
        # Closing alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            stream = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            with stream:
                self.requests.append(_read_request(stream))
                self.answer(self, stream)


@contextlib.contextmanager
def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    """Runs one endpoint for the length of a with block."""
    endpoint = Endpoint(answer, tls)
    try:
        yield endpoint
    finally:
        endpoint.stop()


def say(status: int, body: bytes = b"", *headers: str) -> Answer:
    """Answers properly with a status and a body."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return lambda _, stream: stream.sendall(whole)


def say_raw(raw: bytes) -> Answer:
    """Sends these bytes, whatever they are, and closes."""
    return lambda _, stream: stream.sendall(raw)


def drip(first: bytes, piece: bytes) -> Answer:
    """Sends `first`, then `piece` every 20 ms for as long as the caller listens."""

    def answer(endpoint: Endpoint, stream: socket.socket) -> None:
        try:
            stream.sendall(first)
            while not endpoint.stopping.wait(0.02):
                stream.sendall(piece)
        except OSError:
            endpoint.was_cut.set()

    return answer


def flood(status: int, size: int, *headers: str) -> Answer:
    """Answers with `size` bytes of body and counts those that the caller's side took."""

    def answer(endpoint: Endpoint, stream: socket.socket) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {size}", *headers]
        stream.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        piece = b"x" * 65536
        try:
            while endpoint.bytes_sent < size:
                stream.sendall(piece)
                endpoint.bytes_sent += len(piece)
        except OSError:
            endpoint.was_cut.set()

    return answer


def stay_silent(endpoint: Endpoint, stream: socket.socket) -> None:
    """Reads the request and never answers."""
    with contextlib.suppress(OSError):
        if stream.recv(1) == b"":
            endpoint.was_cut.set()


def hang_up(endpoint: Endpoint, stream: socket.socket) -> None:
    """Reads the request and closes without a word."""


def find_closed_port() -> int:
    """Returns a port of the loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _read_request(stream: socket.socket) -> Received:
    raw = b""
    while b"\r\n\r\n" not in raw:
        chunk = stream.recv(65536)
        if not chunk:
            raise ConnectionResetError
        raw += chunk
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (item.partition(":") for item in fields)}
    while len(body) < int(headers.get("content-length", "0")):
        body += stream.recv(65536)
    return Received(line, headers, body)
