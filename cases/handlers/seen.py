"""What an event has frozen and what earlier evaluations have read; must not ask the agent or change a case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from agentmail.inbound import AutomaticKind
from agentmail.reading import MailMessage, ThreadView, read_stored_thread
from cases.ledger import Claim
from cases.models import AgentRun, Case, CaseEvent

UNREADABLE_VARIANTS = ("spam", "blocked")


@dataclass(frozen=True, slots=True)
class Seen:
    """What evaluations that have been applied were shown."""

    message_ids: frozenset[str]
    input_request_ids: frozenset[str]


def find_run(claimed: Claim) -> AgentRun | None:
    """Returns what an earlier attempt at this event has thought, or None."""
    return AgentRun.objects.filter(event_id=claimed.event_id).first()


def list_seen_ids(case_id: UUID, *, with_event: int | None = None) -> Seen:
    """Returns what the case's applied runs have covered; `with_event` counts that event's own run too."""
    runs = AgentRun.objects.filter(case_id=case_id, event__status=CaseEvent.DONE)
    if with_event is not None:
        runs |= AgentRun.objects.filter(event_id=with_event)
    messages: set[str] = set()
    requests: set[str] = set()
    for message_ids, request_ids in runs.values_list("message_ids", "input_request_ids"):
        messages.update(message_ids)
        requests.update(request_ids)
    return Seen(frozenset(messages), frozenset(requests))


def is_person(message: MailMessage) -> bool:
    """Whether a mail counts as a word from a person: inbound, no autoresponder, not held back by the provider."""
    return (
        message.direction == "inbound"
        and message.automatic == AutomaticKind.NONE
        and message.variant not in UNREADABLE_VARIANTS
    )


def list_unread(case: Case, seen: Seen, thread: ThreadView | None) -> list[MailMessage]:
    """Returns the mails from people that no applied evaluation has covered, oldest first."""
    messages: Iterable[MailMessage] = (thread or read_stored_thread(case.id)).messages
    return [message for message in messages if is_person(message) and message.message_id not in seen.message_ids]
