"""Counts the datagrams that the no-op tasks send; what nobody reads in time is lost, so read while they run."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.driving import PATIENCE_S, Stuck


class Counter:
    """The port that tasks send to, and who waits there."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self.port = int(opened.getsockname()[1])

    def wait_for(self, count: int) -> tuple[float, float]:
        """Returns when the first and the last of `count` came. Raises Stuck."""
        first = 0.0
        for number in range(count):
            try:
                self._socket.recv(16)
            except TimeoutError:
                raise Stuck(f"{number} of {count} no-op tasks after {PATIENCE_S:.0f} s") from None
            first = first or time.perf_counter()
        return first, time.perf_counter()


@contextmanager
def open_counter() -> Iterator[Counter]:
    """Yields a counter on a free port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(PATIENCE_S)
        yield Counter(opened)
