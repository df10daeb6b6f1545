"""PURE: the states of a delivery, what one POST can end in and what that means; must not know a table or a socket."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands; the last three are final."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class AttemptOutcome(StrEnum):
    """What became of one POST; OPEN until somebody knows."""

    OPEN = ""
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answered:
    """The endpoint answered: its status, the first bytes of its body, the milliseconds until then, and what its
    Retry-After asks for ("" without one)."""

    status: int
    first_bytes: bytes
    duration_ms: int
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class NotSent:
    """Surely no request went out, and why: refused by us, no such host, nobody listens."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request may have arrived, but no answer came, and why."""

    reason: str


PostOutcome = Answered | NotSent | Unknown


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means for the attempt; `error` is empty when it was delivered."""

    outcome: AttemptOutcome
    error: str = ""
    status_code: int | None = None
    first_bytes: str = ""


def judge(outcome: PostOutcome) -> Verdict:
    """Returns what one POST means: any 2xx is delivered (docs/api/webhooks.md), no answer is unknown."""
    match outcome:
        case NotSent(reason):
            return Verdict(AttemptOutcome.FAILED, error=reason)
        case Unknown(reason):
            return Verdict(AttemptOutcome.UNKNOWN, error=reason)
    text = clean_text(outcome.first_bytes)
    if 200 <= outcome.status < 300:
        return Verdict(AttemptOutcome.DELIVERED, status_code=outcome.status, first_bytes=text)
    note = " Redirects are not followed." if 300 <= outcome.status < 400 else ""
    error = f"The endpoint answered {outcome.status}.{note}"
    return Verdict(AttemptOutcome.FAILED, error=error, status_code=outcome.status, first_bytes=text)


def clean_text(raw: bytes) -> str:
    """Returns bytes of a stranger as text that PostgreSQL can hold: what is not UTF-8, and control characters other
    than tab and line ends, become U+FFFD."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", raw.decode("utf-8", "replace"))
