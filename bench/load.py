"""Repeats one HTTP request over a fixed number of connections; must cost far less than what it measures.

One thread and epoll: 16 threads would spend their time waiting for Python's lock. An answer must have a
Content-Length, as all of ours do.
"""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass
from statistics import quantiles

from bench.table import NotMeasured

READ_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one stretch of load. Latencies and `own_cpu_s`, what this generator used up itself, in seconds."""

    seconds: float
    latencies: list[float]
    own_cpu_s: float

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def get_percentile_ms(self, percent: int) -> float:
        return quantiles(self.latencies, n=100)[percent - 1] * 1000


class UnexpectedAnswer(NotMeasured):
    """The server answered something else than the wanted status; a rate of errors is worth nothing."""


def make_request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Returns the bytes of a POST of JSON."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def play(port: int, request: bytes, *, status: int, connections: int, seconds: float) -> Load:
    """Sends `request` over each connection as soon as the one before is answered. Raises UnexpectedAnswer."""
    begin_of_answer = f"HTTP/1.1 {status} ".encode()
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            opened = socket.create_connection(("127.0.0.1", port), timeout=10)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(opened, selectors.EVENT_READ)
        own_cpu, started = time.process_time(), time.perf_counter()
        sent_at = {}
        for key in list(selector.get_map().values()):
            _send(key.fileobj, request)
            sent_at[key.fd] = time.perf_counter()
        while sent_at:
            for key, _ in selector.select(10):
                _read_answer(key.fileobj, begin_of_answer)
                finished = time.perf_counter()
                latencies.append(finished - sent_at.pop(key.fd))
                if finished - started < seconds:
                    _send(key.fileobj, request)
                    sent_at[key.fd] = finished
        load = Load(time.perf_counter() - started, latencies, time.process_time() - own_cpu)
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return load


def _send(opened: object, request: bytes) -> None:
    assert isinstance(opened, socket.socket)
    opened.sendall(request)


def _read_answer(opened: object, begin: bytes) -> None:
    assert isinstance(opened, socket.socket)
    read = opened.recv(READ_AT_ONCE)
    head, separator, body = read.partition(b"\r\n\r\n")
    while not separator:
        more = opened.recv(READ_AT_ONCE)
        if not more:
            raise UnexpectedAnswer("the server hung up")
        read += more
        head, separator, body = read.partition(b"\r\n\r\n")
    if not head.startswith(begin):
        raise UnexpectedAnswer(read[:500].decode(errors="replace"))
    wanted = int(head.lower().partition(b"content-length:")[2].split(None, 1)[0])
    while len(body) < wanted:
        body += opened.recv(READ_AT_ONCE)
