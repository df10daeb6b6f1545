"""Asks what may hang, in a thread of its own; must not let any caller wait longer than it wants.

A driver's timeouts do not bound everything: a connection whose other end swallows packets answers nothing for
minutes. So the asking is given a thread, at most one at a time, and whoever wants the answer waits as long as it likes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import connection

T = TypeVar("T")


class NoAnswer(Exception):
    """The asking has not ended in time; it goes on, and its answer serves a later caller."""


class Look(Generic[T]):
    """One question with its last answer, which is good for `holds_s` seconds, an error likewise."""

    def __init__(self, ask: Callable[[], T], *, holds_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._holds_s = holds_s
        self._clock = clock
        self._guard = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Makes the next caller ask anew; an asking that still runs answers nobody."""
        self._answer: T | None = None
        self._error: Exception | None = None
        self._answered_at = float("-inf")
        self._running: threading.Event | None = None

    def begin(self) -> None:
        """Starts asking unless the last answer still holds or somebody asks already; returns at once."""
        with self._guard:
            if self._running is None and self._clock() - self._answered_at >= self._holds_s:
                self._running = threading.Event()
                threading.Thread(target=self._run, args=(self._running,), name="look", daemon=True).start()

    def get(self, wait_s: float) -> T:
        """Returns the answer, waiting up to `wait_s` seconds for it.

        Raises NoAnswer when it has not come by then, and what the asking raised when it failed.
        """
        self.begin()
        running = self._running
        if running is not None and not running.wait(wait_s):
            raise NoAnswer(f"no answer within {wait_s:g} s")
        with self._guard:
            if self._error is not None:
                raise self._error
            return self._answer  # type: ignore[return-value]  # there is one wherever there is no error

    def _run(self, mine: threading.Event) -> None:
        answer: T | None = None
        error: Exception | None = None
        try:
            answer = self._ask()
        except Exception as raised:
            error = raised
        finally:
            # It belongs to this thread, which ends here.
            connection.close()
        with self._guard:
            if self._running is mine:
                self._answer, self._error, self._answered_at = answer, error, self._clock()
                self._running = None
        mine.set()
