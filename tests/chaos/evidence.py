"""Reads what a run left behind into plain values, one file for each case; must not judge them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar, cast

import psycopg
from psycopg.rows import dict_row

from tests.chaos.player import GivenInput
from tests.chaos.stories import Ending
from tests.chaos.world import read_reference


@dataclass(frozen=True, slots=True)
class CaseRow:
    case_id: str
    reference: str
    status: str
    result_status: str
    attempt_count: int
    follow_ups_sent: int
    max_attempts: int
    is_scheduled: bool
    result: Any
    failure_reason: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One committed change of a case, in the order of the commits."""

    at: datetime
    status: str
    result_status: str
    attempt_count: int
    follow_ups_sent: int
    result: Any


@dataclass(frozen=True, slots=True)
class EventRow:
    event_id: int
    key: str
    kind: str
    status: str
    attempt: int
    failures: int
    waits: int
    last_error: str
    summary: str
    created_at: datetime
    finished_at: datetime | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventStep:
    at: datetime
    event_id: int
    status: str
    attempt: int


@dataclass(frozen=True, slots=True)
class SendStep:
    """An attempt to send the mail of an event, as it was begun under the case's lock, before the call."""

    at: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """What the agent was asked once."""

    event_id: int
    operation: str
    mail_kind: str
    decision: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OwnMail:
    """A mail as Offload remembers it. `reference` is the ledger event it was written for."""

    reference: str
    label: str
    idempotency_key: str
    state: str
    attempts: int
    message_id: str
    text: str
    last_error: str


@dataclass(frozen=True, slots=True)
class AcceptedMail:
    """A mail as the provider remembers it."""

    message_id: str
    labels: tuple[str, ...]
    idempotency_key: str
    text: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class InputRow:
    input_request_id: str
    status: str
    answer: str


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A client webhook. `outcomes` are those of its attempts, in order."""

    event_id: str
    event_type: str
    state: str
    body: dict[str, Any]
    outcomes: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReceivedRow:
    event_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What the case's client and counterparty know: what they did and what was acknowledged.

    ending: how the story says that the case must have ended; None when it came to no end, and `trouble` says why.
    """

    reference: str
    shape: str
    case_id: str
    ending: Ending | None
    trouble: str
    inputs: tuple[GivenInput, ...]
    replies: tuple[str, ...]
    steps: tuple[str, ...]
    # What GET /cases/{id} answers at the end.
    shown: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """All there is about one case, from every side. `stored` holds more than one row if it was opened twice."""

    told: Told
    stored: tuple[CaseRow, ...] = ()
    steps: tuple[CaseStep, ...] = ()
    events: tuple[EventRow, ...] = ()
    event_steps: tuple[EventStep, ...] = ()
    send_steps: tuple[SendStep, ...] = ()
    runs: tuple[RunRow, ...] = ()
    own_mails: tuple[OwnMail, ...] = ()
    accepted: tuple[AcceptedMail, ...] = ()
    heard: tuple[str, ...] = ()
    inputs: tuple[InputRow, ...] = ()
    deliveries: tuple[DeliveryRow, ...] = ()
    received: tuple[ReceivedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """The files of all cases, and what belongs to none of them."""

    files: tuple[CaseFile, ...]
    strangers: tuple[str, ...] = ()


QUERIES: dict[str, tuple[type, str]] = {
    "stored": (
        CaseRow,
        """SELECT id::text AS owner, id::text AS case_id, client_reference_id AS reference, status, result_status,
                  attempt_count, follow_ups_sent, max_attempts, next_action_at IS NOT NULL AS is_scheduled, result,
                  failure_reason, thread_id FROM cases_case ORDER BY created_at, id""",
    ),
    "steps": (
        CaseStep,
        """SELECT case_id::text AS owner, at, status, result_status, attempt_count, follow_ups_sent, result
             FROM chaos_case_step ORDER BY id""",
    ),
    "events": (
        EventRow,
        """SELECT case_id::text AS owner, id AS event_id, key, kind, status, attempt, failures, waits, last_error,
                  summary, created_at, finished_at, payload FROM cases_caseevent ORDER BY id""",
    ),
    "event_steps": (
        EventStep,
        "SELECT case_id::text AS owner, at, event_id, status, attempt FROM chaos_event_step ORDER BY id",
    ),
    "send_steps": (
        SendStep,
        "SELECT case_id::text AS owner, at, reference FROM chaos_send_step ORDER BY id",
    ),
    "runs": (
        RunRow,
        """SELECT case_id::text AS owner, event_id, operation, mail_kind, coalesce(decision->>'kind', '') AS decision,
                  created_at FROM cases_agentrun ORDER BY id""",
    ),
    "own_mails": (
        OwnMail,
        """SELECT owner::text AS owner, reference, label, idempotency_key, state, attempts, message_id, text,
                  last_error FROM agentmail_outboundemail ORDER BY frozen_at""",
    ),
    "inputs": (
        InputRow,
        """SELECT case_id::text AS owner, id::text AS input_request_id, status, answer
             FROM cases_inputrequest ORDER BY requested_at, id""",
    ),
    "deliveries": (
        DeliveryRow,
        """SELECT owner::text AS owner, event_id, event_type, state, body::jsonb AS body, created_at,
                  ARRAY(SELECT a.outcome FROM webhooks_deliveryattempt a WHERE a.delivery_id = d.id ORDER BY a.number)
                      AS outcomes FROM webhooks_delivery d ORDER BY created_at, id""",
    ),
    "received": (
        ReceivedRow,
        "SELECT case_id AS owner, event_id, received_at FROM receiver_receivedwebhook ORDER BY id",
    ),
}
ACCEPTED = """
SELECT "to"[1] AS recipient, message_id, labels, coalesce(idempotency_key, '') AS idempotency_key, text,
       "timestamp" AS accepted_at FROM sandbox_message WHERE direction = 'outbound' ORDER BY id
"""
HEARD = "SELECT coalesce(owner::text, '') AS owner, message_id FROM agentmail_inboundemail ORDER BY received_at"

Row = TypeVar("Row")


def read_evidence(database_url: str, told: list[Told]) -> Evidence:
    """Returns everything about the run, read in one snapshot."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        found: dict[str, list[tuple[str, Any]]] = {
            name: [(row.pop("owner"), _make(kind, row)) for row in connection.execute(sql.encode())]
            for name, (kind, sql) in QUERIES.items()
        }
        accepted = [
            (read_reference(row.pop("recipient")), _make(AcceptedMail, row))
            for row in connection.execute(ACCEPTED).fetchall()
        ]
        heard = [(row["owner"], row["message_id"]) for row in connection.execute(HEARD).fetchall()]
    references = {row.case_id: row.reference for _, row in found["stored"]}
    files = tuple(_make_file(each, found, accepted, heard, references) for each in told)
    return Evidence(files, tuple(_find_strangers(told, references, accepted, heard)))


def _make(kind: type[Row], row: dict[str, Any]) -> Row:
    names = {each.name for each in fields(cast(Any, kind))}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if name in names}
    return kind(**values)


def _make_file(
    told: Told,
    found: dict[str, list[tuple[str, Any]]],
    accepted: list[tuple[str, AcceptedMail]],
    heard: list[tuple[str, str]],
    references: dict[str, str],
) -> CaseFile:
    owners = {case_id for case_id, reference in references.items() if reference == told.reference}
    parts = {name: tuple(row for owner, row in rows if owner in owners) for name, rows in found.items()}
    return CaseFile(
        told=told,
        accepted=tuple(mail for reference, mail in accepted if reference == told.reference),
        heard=tuple(message_id for owner, message_id in heard if owner in owners),
        **parts,
    )


def _find_strangers(
    told: list[Told],
    references: dict[str, str],
    accepted: list[tuple[str, AcceptedMail]],
    heard: list[tuple[str, str]],
) -> list[str]:
    known = {each.reference for each in told}
    return [
        *[f"case {case_id} of reference {name!r}" for case_id, name in references.items() if name not in known],
        *[f"a sent mail {mail.message_id} to {name!r}" for name, mail in accepted if name not in known],
        *[f"an inbound mail {message_id} that belongs to no case" for owner, message_id in heard if not owner],
    ]
