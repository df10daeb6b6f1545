"""What the players see of the run: one picture of all cases, taken again and again; must not change a row."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row

PICTURE_EVERY_S = 0.3

CASES = """
SELECT c.id::text AS case_id, c.client_reference_id AS reference, c.status, c.result_status, c.attempt_count,
       c.next_action, extract(epoch FROM c.clock_offset) / 3600 AS hours_advanced,
       coalesce((SELECT i.id::text FROM cases_inputrequest i WHERE i.case_id = c.id AND i.status = 'PENDING'), '')
           AS open_question_id,
       (SELECT count(*) FROM cases_caseevent e WHERE e.case_id = c.id AND e.status IN ('ready', 'running'))
           AS open_events,
       (SELECT count(*) FROM cases_caseevent e
         WHERE e.case_id = c.id AND e.kind = 'REPLY_RECEIVED' AND e.status = 'done') AS replies_handled
  FROM cases_case c
"""
MAILS = """
SELECT m."to"[1] AS recipient, m.message_id, t.thread_id::text FROM sandbox_message m
  JOIN sandbox_thread t ON t.id = m.thread_id WHERE m.direction = 'outbound' ORDER BY m.id
"""
# What still has to come to rest, each a number that is zero at the end.
UNREST = """
SELECT (SELECT count(*) FROM cases_caseevent WHERE status IN ('ready', 'running')) AS events,
       (SELECT count(*) FROM webhooks_delivery WHERE state IN ('pending', 'sending')) AS deliveries,
       (SELECT count(*) FROM sandbox_delivery d JOIN sandbox_webhook w ON w.id = d.webhook_id
         WHERE d.state IN ('pending', 'held') AND w.enabled) AS provider_webhooks,
       (SELECT count(*) FROM agentmail_inboundemail WHERE owner IS NULL)
         + (SELECT count(*) FROM agentmail_providerevent WHERE kind = 'report' AND owner IS NULL) AS unmatched
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that the provider accepted."""

    message_id: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class Seen:
    """How one case stood in the last picture; before it is stored, only its mails can be there."""

    case_id: str = ""
    status: str = ""
    result_status: str = ""
    attempt_count: int = 0
    next_action: str = ""
    hours_advanced: float = 0.0
    open_question_id: str = ""
    open_events: int = 0
    replies_handled: int = 0
    mails: tuple[Mail, ...] = ()

    @property
    def has_ended(self) -> bool:
        return self.status in ("COMPLETED", "FAILED")

    def __str__(self) -> str:
        return (
            f"{self.status or 'not stored'} {self.result_status} attemptCount {self.attempt_count}, "
            f"{len(self.mails)} mails, {self.open_events} open events, next: {self.next_action or 'nothing'}"
        )


class GivenUp(Exception):
    """The run is over, and what a player waited for has not come."""


@dataclass
class World:
    """Takes the pictures in a thread of its own, so that 300 players cost one query at a time."""

    database_url: str
    is_over: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _seen: dict[str, Seen] = field(default_factory=dict)

    def start(self) -> None:
        threading.Thread(target=self._watch, name="world", daemon=True).start()

    def end(self) -> None:
        """Wakes every player who still waits; they raise GivenUp."""
        self.is_over.set()
        with self._changed:
            self._changed.notify_all()

    def wait(self, reference: str, find: Callable[[Seen], T | None]) -> T:
        """Returns what `find` makes of the case's picture, once it is not None. Raises GivenUp, or what `find` does."""
        with self._changed:
            while not self.is_over.is_set():
                found = find(self._seen.get(reference, Seen()))
                if found is not None:
                    return found
                self._changed.wait(5)
        raise GivenUp

    def look(self, reference: str) -> Seen:
        with self._changed:
            return self._seen.get(reference, Seen())

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Returns the rows, asked again while the database is away."""
        while True:
            try:
                with psycopg.connect(self.database_url, row_factory=dict_row, connect_timeout=5) as connection:
                    return connection.execute(sql.encode(), values).fetchall()
            except psycopg.OperationalError:
                if self.is_over.is_set():
                    raise
                time.sleep(0.3)

    def count_unrest(self) -> dict[str, int]:
        """Returns how much of each kind is not at rest yet; empty once everything is."""
        return {name: count for name, count in self.query(UNREST)[0].items() if count}

    def _watch(self) -> None:
        while not self.is_over.wait(PICTURE_EVERY_S):
            try:
                with psycopg.connect(self.database_url, row_factory=dict_row, connect_timeout=5) as connection:
                    while not self.is_over.is_set():
                        self._take_picture(connection)
                        time.sleep(PICTURE_EVERY_S)
            except psycopg.Error:
                continue

    def _take_picture(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        with connection.transaction():
            cases = connection.execute(CASES).fetchall()
            mails = connection.execute(MAILS).fetchall()
        sent: dict[str, list[Mail]] = {}
        for mail in mails:
            sent.setdefault(read_reference(mail["recipient"]), []).append(Mail(mail["message_id"], mail["thread_id"]))
        pictures = {
            case.pop("reference"): Seen(**case | {"hours_advanced": float(case["hours_advanced"])}) for case in cases
        }
        for reference, found in sent.items():
            pictures[reference] = replace(pictures.get(reference, Seen()), mails=tuple(found))
        with self._changed:
            self._seen = pictures
            self._changed.notify_all()


def make_address(reference: str) -> str:
    """Every case has a counterparty of its own, so that a mail tells by its recipient which case it is about."""
    return f"{reference}@counterparty.example"


def read_reference(recipient: str) -> str:
    """PURE: returns the reference of the case that a mail to `Name <address>` belongs to."""
    return recipient.rpartition("<")[2].rstrip(">").partition("@")[0]
