"""What may hang is asked once at a time, and nobody waits longer for it than they want."""

from __future__ import annotations

import threading

import pytest

from offload.looking import Look, NoAnswer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_holds_for_its_time_and_not_longer() -> None:
    clock, answers = Clock(), iter([1, 2])
    look = Look(lambda: next(answers), holds_s=15, clock=clock)

    first = look.get(30)
    clock.now += 14.9
    second = look.get(30)
    clock.now += 0.2
    third = look.get(30)

    assert (first, second, third) == (1, 1, 2)


def test_a_question_that_hangs_is_not_asked_twice_and_its_late_answer_serves_the_next() -> None:
    asked, may_answer = [], threading.Event()

    def ask() -> str:
        asked.append(1)
        may_answer.wait(30)
        return "late"

    look = Look(ask, holds_s=15, clock=Clock())
    with pytest.raises(NoAnswer):
        look.get(0)
    with pytest.raises(NoAnswer):
        look.get(0)
    may_answer.set()

    assert look.get(30) == "late"
    assert len(asked) == 1


def test_an_error_reaches_whoever_asks_and_holds_as_an_answer_does() -> None:
    clock, asked = Clock(), []

    def ask() -> None:
        asked.append(1)
        raise ValueError("broken")

    look = Look(ask, holds_s=15, clock=clock)

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            look.get(30)
    assert len(asked) == 1


def test_what_was_asked_before_forgetting_answers_nobody() -> None:
    may_answer, answers = threading.Event(), iter(["old", "fresh"])

    def ask() -> str:
        answer = next(answers)
        if answer == "old":
            may_answer.wait(30)
        return answer

    look = Look(ask, holds_s=15, clock=Clock())
    look.begin()
    look.forget()

    assert look.get(30) == "fresh"
    may_answer.set()
    assert look.get(30) == "fresh"
