"""The thread that sends nudges: what it collects, what it forgets, and that it ends with its process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from webhooks.background import BackgroundSender


class Queue:
    """What the thread sends to; it answers only while it is open."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.is_called = threading.Event()
        self.is_open = threading.Event()
        self.is_open.set()

    def take(self, task_name: str, subjects: list[str]) -> None:
        self.is_called.set()
        assert self.is_open.wait(10)
        self.calls.append((task_name, subjects))


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def sender(queue: Queue) -> Iterator[BackgroundSender]:
    made = BackgroundSender(queue.take, pace_s=0.01, most_waiting=3)
    yield made
    queue.is_open.set()
    made.stop()


def hold(sender: BackgroundSender, queue: Queue) -> None:
    """Returns once the thread is busy with a first nudge, so that what follows has to wait."""
    queue.is_open.clear()
    assert sender.add("task", "first")
    assert queue.is_called.wait(10)


def test_what_comes_during_a_call_leaves_together_by_task_and_once_each(sender: BackgroundSender, queue: Queue) -> None:
    hold(sender, queue)
    accepted = [sender.add("task", "a"), sender.add("other", "a"), sender.add("task", "b"), sender.add("task", "a")]

    queue.is_open.set()
    sender.stop()

    # The last one found three waiting, which is all that this sender keeps.
    assert accepted == [True, True, True, False]
    assert queue.calls == [("task", ["first"]), ("task", ["a", "b"]), ("other", ["a"])]


def test_the_same_nudge_while_the_first_is_being_sent_is_sent_again(sender: BackgroundSender, queue: Queue) -> None:
    hold(sender, queue)
    sender.add("task", "first")
    sender.add("task", "first")

    queue.is_open.set()
    sender.stop()

    assert queue.calls == [("task", ["first"]), ("task", ["first"])]


def test_a_nudge_never_waits_for_the_queue_and_too_many_are_refused(sender: BackgroundSender, queue: Queue) -> None:
    hold(sender, queue)

    accepted = [sender.add("task", str(number)) for number in range(5)]

    assert accepted == [True, True, True, False, False]
    assert queue.calls == []


def test_a_failure_is_logged_and_the_next_nudges_are_sent(caplog: pytest.LogCaptureFixture, queue: Queue) -> None:
    failures = iter([ConnectionError("the queue is down")])

    def fail_once(task_name: str, subjects: list[str]) -> None:
        for failure in failures:
            queue.is_called.set()
            raise failure
        queue.take(task_name, subjects)

    sender = BackgroundSender(fail_once, pace_s=0)
    with caplog.at_level(logging.ERROR, "webhooks.background"):
        sender.add("task", "lost")
        assert queue.is_called.wait(10)
        sender.add("task", "kept")
        sender.stop()

    assert queue.calls == [("task", ["kept"])]
    assert caplog.messages == ["1 nudges were not sent; the sweep will repeat them"]


def test_to_stop_does_not_wait_for_ever(sender: BackgroundSender, queue: Queue) -> None:
    hold(sender, queue)

    sender.stop(timeout_s=0.05)

    assert queue.calls == []


def test_to_stop_what_never_began_does_nothing(queue: Queue) -> None:
    BackgroundSender(queue.take).stop()

    assert queue.calls == []


def test_a_machine_without_a_thread_to_spare_costs_one_nudge_and_none_after_it(
    monkeypatch: pytest.MonkeyPatch, queue: Queue
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sender = BackgroundSender(queue.take, pace_s=0)
    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", refuse)
        first = sender.add("task", "first")
        sender.stop()
    second = sender.add("task", "second")
    sender.stop()

    assert (first, second) == (False, True)
    assert queue.calls == [("task", ["first", "second"])]
