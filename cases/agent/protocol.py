"""The seam between a case and whatever thinks about it: frozen values in, one outcome out, no vendor's types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Literal, Protocol, TypeVar

from cases.agent.decisions import Decision, InputNeeded

Reason = Literal["outreach", "follow_up", "reply", "recheck", "input"]
Sender = Literal["us", "counterparty", "other"]


@dataclass(frozen=True, slots=True)
class Persona:
    """Who the mail is from, as the client gave it."""

    name: str
    role: str = ""
    company: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class HumanAnswer:
    """One question we asked a human about the case, and the answer."""

    question: str
    answer: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """A file's metadata; its content is never shown to an agent."""

    name: str
    content_type: str
    size: int
    message_id: str


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message of the thread. `automatic_kind` is agentmail's word for it ("" or "none" for a person's)."""

    message_id: str
    sender: Sender
    sender_name: str
    sent_at: datetime
    subject: str
    text: str
    is_automatic: bool = False
    automatic_kind: str = ""
    attachments: tuple[AttachmentView, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseView:
    """All an agent may know. Neither the recipient's address nor the case's id is in it, so neither can leak."""

    objective: str
    counterparty_name: str
    persona: Persona
    now: datetime
    reason: Reason
    # What the client gave as knowledge, without its member `private`.
    knowledge: str | Mapping[str, Any] | None = None
    # Informs judgement and never leaves in a mail; the guard compares every outgoing text with it.
    private_knowledge: Any | None = None
    counterparty_company: str = ""
    timezone: str = ""
    custom_data: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    result_schema: Mapping[str, Any] | None = None
    human_answers: tuple[HumanAnswer, ...] = ()
    open_question: str | None = None
    # Oldest first.
    thread: tuple[ThreadMessage, ...] = ()
    # The ids of messages that no evaluation has covered yet; None where the caller does not keep count.
    new_message_ids: tuple[str, ...] | None = None
    follow_ups_sent: int = 0
    max_attempts: int = 3
    snoozes_in_a_row: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to send: the subject of a new thread (a follow-up's is only shown), and the plain text."""

    subject: str
    body: str
    rationale: str

    def to_json(self) -> dict[str, str]:
        """Return what `from_json` reads back, so that a frozen draft survives a crash."""
        return {"kind": "DRAFT", "subject": self.subject, "body": self.body, "rationale": self.rationale}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Draft":
        """Return the draft that `to_json` wrote; ValueError when it is not one."""
        parts = {name: stored.get(name) for name in ("subject", "body", "rationale")}
        if stored.get("kind") != "DRAFT" or not all(isinstance(part, str) for part in parts.values()):
            raise ValueError("not a stored draft")
        return cls(subject=str(parts["subject"]), body=str(parts["body"]), rationale=str(parts["rationale"]))


@dataclass(frozen=True, slots=True)
class RunAudit:
    """What one call cost and rested on; the worker stores it as an AgentRun."""

    implementation: str
    model_asked: str
    model_answered: str
    prompt_version: str
    # SHA-256, hexadecimal.
    prompt_hash: str
    tokens_in: int
    tokens_out: int
    # In US dollars; None when the price is not known.
    cost_usd: Decimal | None
    latency_ms: int
    reasks: tuple[str, ...]
    guard_hits: tuple[str, ...]
    # The messages that were shown, which is what the outcome covers.
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the tries of one call took; cost in US dollars, None when the price is not known."""

    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal | None = None


Value = TypeVar("Value", covariant=True)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Value]):
    """One answer of an agent and the record of how it came about."""

    value: Value
    audit: RunAudit


class Agent(Protocol):
    """The replaceable mind. Each call may raise AgentTemporary, AgentMisconfigured or AgentUnusable, nothing else."""

    def draft_outreach(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        """Return the first message, or the question without whose answer it cannot be written."""
        ...

    def draft_follow_up(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        """Return the next reminder in the same thread, or a question for a human."""
        ...

    def evaluate(self, view: CaseView) -> Outcome[Decision]:
        """Return what the thread means for the case; covers every message in `view.thread`."""
        ...


class AgentError(Exception):
    """No outcome. `reason` is a sentence for the log and the support page.

    `usage` and `audit` are what the tries took all the same, where the agent knows: they are paid for.
    """

    usage: Usage | None = None
    audit: RunAudit | None = None

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AgentTemporary(AgentError):
    """Not now (a limit, a cut connection): try the same again, after `retry_after_s` seconds where that is known."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class AgentMisconfigured(AgentError):
    """Our settings are wrong; the case must wait for them, not fail."""


class AgentUnusable(AgentError):
    """The agent answered, re-asks included, but with nothing that may be used: a human has to look."""


class AgentOverBudget(AgentMisconfigured):
    """A cap on tokens or cost is reached: the case waits for room or a higher cap, and does not fail."""
