"""Sends nudges from a thread of its own, many at a time; must not know what a nudge is about, or outlive its process.

A publish costs a request more processor time than its validation and waits for the network; ten in one call cost
little more than one. Nothing here has to be kept: the row of each nudge is committed, and the sweep repeats what is
lost.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

# After a call, so that the next one takes along what comes in this time; a nudge to a resting thread leaves at once.
PACE_SECONDS = 0.05
MOST_WAITING = 10_000

Send = Callable[[str, list[str]], None]


class BackgroundSender:
    """Collects nudges from any thread and hands them to `send`, by task and without repetition.

    `send` gets a task's name and its subjects; it should end within seconds. What it raises is logged.
    """

    def __init__(self, send: Send, *, pace_s: float = PACE_SECONDS, most_waiting: int = MOST_WAITING) -> None:
        self._send = send
        self._pace_s = pace_s
        self._most_waiting = most_waiting
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets what waits and the thread. For a child after a fork: both are its parent's."""
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], None] = {}
        self._thread: threading.Thread | None = None
        self._has_work = threading.Event()
        self._is_stopping = threading.Event()

    def add(self, task_name: str, subject: str) -> bool:
        """Takes a nudge and returns at once; False when too many wait or no thread can be started.

        The sweep then repeats this one. A thread that could not be started is tried again with the next nudge.

        The same nudge again, while the first has not left, changes nothing: whoever gets it looks afterwards.
        """
        with self._lock:
            if len(self._waiting) >= self._most_waiting:
                return False
            self._waiting[task_name, subject] = None
            if self._thread is None:
                # Started by the first nudge, so after any fork; a daemon, so that it never keeps a process alive.
                thread = threading.Thread(target=self._run, name="nudges", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    logger.warning("the thread that sends nudges could not be started: %s", error)
                    return False
                self._thread = thread
        self._has_work.set()
        return True

    def stop(self, timeout_s: float = 4.0) -> None:
        """Sends what waits and ends the thread; gives up after `timeout_s` seconds. A second call does nothing."""
        thread = self._thread
        if thread is not None:
            self._is_stopping.set()
            self._has_work.set()
            thread.join(timeout_s)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._has_work.wait()
            self._has_work.clear()
            # Asked before the nudges are taken: what came before `stop` is then among them.
            is_last = self._is_stopping.is_set()
            for task_name, subjects in self._take_all().items():
                try:
                    self._send(task_name, subjects)
                except Exception:
                    logger.exception("%d nudges were not sent; the sweep will repeat them", len(subjects))
            self._is_stopping.wait(self._pace_s)

    def _take_all(self) -> Mapping[str, list[str]]:
        with self._lock:
            taken, self._waiting = self._waiting, {}
        by_task = defaultdict(list)
        for task_name, subject in taken:
            by_task[task_name].append(subject)
        return by_task
