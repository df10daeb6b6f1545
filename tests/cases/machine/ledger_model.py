"""What the ledger promises, as plain Python over what the workers did; must not read a row of the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

LEASE = timedelta(seconds=45)
MAX_FAILURES = 3


class BrokenPromise(AssertionError):
    """A promise of the ledger did not hold; `promise` names it as docs/guarantees.md does."""

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise


def require(holds: bool, promise: str, detail: object = "") -> None:
    """Raises BrokenPromise unless the promise holds."""
    if not holds:
        raise BrokenPromise(promise, str(detail))


@dataclass
class Known:
    """One event as those who recorded and worked on it know it.

    due_from, due_by: it may be claimed from the one on and must be from the other on (backoffs have jitter).
    """

    event_id: int
    case: Any
    key: str
    text: int
    recorded_at: datetime
    due_from: datetime
    due_by: datetime
    status: str = "ready"
    attempt: int = 0
    failures: int = 0
    waits: int = 0
    effects: int = 0
    lease_until: datetime | None = None
    nudged_at: datetime | None = None
    nudges: int = 0

    @property
    def is_open(self) -> bool:
        return self.status in ("ready", "running")

    def may_be_late(self, now: datetime) -> bool:
        """Whether the lease has run out."""
        return self.lease_until is not None and self.lease_until < now

    def give_back(self, due_from: datetime, due_by: datetime) -> None:
        self.status, self.lease_until = "ready", None
        self.due_from, self.due_by = due_from, due_by
        self.nudged_at, self.nudges = None, 0

    def count_failure(self) -> None:
        self.failures += 1
        self.lease_until = None
        self.status = "dead" if self.failures >= MAX_FAILURES else "ready"

    def is_nudge_due(self, now: datetime) -> bool | None:
        """Whether a sweep returns it if it leads its line; None while the jitter leaves it open."""
        if self.status == "ready" and now < self.due_by:
            return None if now >= self.due_from else False
        if self.status == "running" and not self.may_be_late(now):
            return False
        return self.nudged_at is None or self.nudged_at < now - self.get_gap()

    def get_gap(self) -> timedelta:
        """How long the last nudge is waited for."""
        return timedelta(seconds=min(600, 10 * 2 ** min(self.nudges, 6)))


def backoff(now: datetime, exponent: int) -> tuple[datetime, datetime]:
    """Returns the earliest and the latest end of a wait of 1, 2, 4 … s up to 10 minutes, times 0.5 to 1."""
    longest = timedelta(seconds=min(600, 2 ** min(exponent, 10)))
    return now + longest / 2, now + longest


@dataclass
class Book:
    """Every event that anybody was told is recorded, by id."""

    events: dict[int, Known] = field(default_factory=dict)

    def of_case(self, case: Any) -> list[Known]:
        return sorted((e for e in self.events.values() if e.case == case), key=lambda event: event.event_id)

    def head(self, case: Any) -> Known | None:
        return next((event for event in self.of_case(case) if event.is_open), None)

    def running(self, case: Any) -> Known | None:
        return next((event for event in self.of_case(case) if event.status == "running"), None)

    def find_key(self, key: str) -> Known | None:
        return next((event for event in self.events.values() if event.key == key), None)

    def wake_head(self, case: Any, now: datetime) -> None:
        head = self.head(case)
        if head is not None and head.status == "ready" and head.due_from > now:
            head.give_back(now, now)

    def has_newer_since(self, event: Known, moment: datetime) -> bool:
        """Whether something that still waits was recorded behind `event` since `moment`."""
        return any(
            other.event_id > event.event_id and other.status == "ready" and other.recorded_at >= moment
            for other in self.of_case(event.case)
        )
