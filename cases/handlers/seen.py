"""What an event has frozen and which mail nobody has evaluated; must not ask the agent or change a case."""

from __future__ import annotations

from collections.abc import Iterable

from agentmail.inbound import AutomaticKind, find_dmarc
from agentmail.reading import MailMessage, ThreadView, read_stored_thread
from agentmail.rows import Rows
from cases.coverage import Seen
from cases.ledger import Claim
from cases.models import AgentRun, Case

UNREADABLE_VARIANTS = ("spam", "blocked")
# Such an event waits 1, 2, 4 … s up to ten minutes each time, so about an hour and a half in all.
MOST_LOOKS = 20
PAUSED = "The case is paused; this goes on when somebody resumes it."
UNSEEN = "The mail provider does not show the thread, and a reply whose webhook was lost would be passed over."


_RUNS = Rows(AgentRun)


def find_run(claimed: Claim) -> AgentRun | None:
    """Returns what an earlier attempt at this event has thought, or None."""
    return _RUNS.find_first("event_id = %(event)s", {"event": claimed.event_id})


def is_person(message: MailMessage) -> bool:
    """Whether a mail counts as a word from a person: inbound, no autoresponder, not held back by the provider."""
    return (
        message.direction == "inbound"
        and message.automatic == AutomaticKind.NONE
        and message.variant not in UNREADABLE_VARIANTS
    )


def is_unproven(message: MailMessage) -> bool:
    """Whether a mail may be forged: the provider could not prove its sender, or its domain's DMARC policy disowns it.

    No DMARC verdict, although the thread was fetched again, is no proof either way: such a mail counts.
    """
    return message.variant == "unauthenticated" or find_dmarc(message.authentication) == "fail"


def should_look_again(claimed: Claim, thread: ThreadView | None) -> bool:
    """Whether silence is yet to be believed: there is a thread, and the provider has not shown the whole of it.

    Only for a while: one that the provider has lost for good must not hold its case up for ever.
    """
    return thread is not None and thread.has_thread and not thread.is_live and claimed.waits < MOST_LOOKS


def list_unread(case: Case, seen: Seen, thread: ThreadView | None) -> list[MailMessage]:
    """Returns the mails from people that no applied evaluation has covered, oldest first."""
    messages: Iterable[MailMessage] = (thread or read_stored_thread(case.id)).messages
    return [message for message in messages if is_person(message) and message.message_id not in seen.message_ids]
