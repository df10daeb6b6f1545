"""PURE: how a case and its events read to staff; must not touch the database or a clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from cases.agent.offline.asking import first_name
from cases.workflow import EventKind, NextAction, ResultStatus, Status


@dataclass(frozen=True, slots=True)
class Chip:
    """A word with a tone. The tone says whether somebody has to do something: only `human` asks for attention."""

    text: str
    tone: str


HUMAN, LIVE, GOOD, BAD, QUIET = "human", "live", "good", "bad", "quiet"

# Keyed by plain strings: what the database holds may be older than the enums.
_STATUS_CHIPS: dict[str, Chip] = {
    Status.CREATED: Chip("Queued", LIVE),
    Status.RUNNING: Chip("Running", LIVE),
    Status.INPUT_NEEDED: Chip("Needs an answer", HUMAN),
    Status.COMPLETED: Chip("Completed", GOOD),
    Status.FAILED: Chip("Failed", BAD),
}

# The status stays INPUT_NEEDED until the agent has read the answer, but nobody has to do anything then.
ANSWERED = Chip("Answered; the agent goes on with it", LIVE)

STUCK = Chip("Stuck", HUMAN)
PAUSED = Chip("Paused", QUIET)

# What a list of cases can be narrowed to beside a state.
MINE, NARROWED = "MINE", "NARROWED"

TOO_MANY_FINDS = (
    "These words fit so many cases that not all of them were looked at. The newest stand first; add a word to find "
    "others."
)

_RESULTS: dict[str, str] = {
    ResultStatus.GOAL_ACHIEVED: "Goal achieved",
    ResultStatus.MAX_RETRIES: "No answer, and every follow-up was used",
    # Also what a person's "close the case" ends in; the failure reason says which.
    ResultStatus.FAILED_REJECTED: "Ended without the result",
    ResultStatus.BOUNCED: "The mail bounced",
    ResultStatus.COMPLAINED: "The counterparty marked the mail as spam",
    ResultStatus.REJECTED: "The mail was rejected",
    ResultStatus.CANCELLED: "Cancelled",
    ResultStatus.SEND_FAILED: "The mail could not be sent",
    ResultStatus.EVALUATION_FAILED: "The agent could not evaluate the conversation",
}

_SUPPRESSIONS = {
    "BOUNCED": "{address} bounced",
    "COMPLAINED": "{address} marked our mail as spam",
    "REJECTED": "Mail to {address} was rejected",
}

_EMPTY_LISTS: dict[str | None, str] = {
    None: "There is no case yet. An application opens the first one with POST /cases.",
    NARROWED: "No case matches.",
    MINE: "You have not acted on a case yet.",
    Status.INPUT_NEEDED: "Nobody waits for you.",
    "STUCK": "No case is stuck.",
    "PAUSED": "No case is paused.",
}

_EVENT_TITLES: dict[str, str] = {
    EventKind.CASE_CREATED: "Case opened",
    EventKind.FOLLOW_UP_DUE: "Follow-up due",
    EventKind.RECHECK_DUE: "Time to look again",
    EventKind.REPLY_RECEIVED: "Mail received",
    EventKind.INPUT_PROVIDED: "Question answered",
    EventKind.DELIVERY_FAILED: "Delivery failed",
    EventKind.CASE_CANCELLED: "Cancelled",
    EventKind.CASE_CLOSED: "Closed by hand",
    EventKind.CASE_PAUSED: "Paused",
    EventKind.CASE_RESUMED: "Resumed",
    EventKind.REEVALUATION_ASKED: "Asked to judge the last reply again",
}

_BRIEF_ACTIONS: dict[str, str] = {NextAction.FOLLOW_UP: "Follow-up", NextAction.RECHECK: "Looks again"}
_BRIEF_STATUSES: dict[str, str] = {Status.CREATED: "First message", Status.INPUT_NEEDED: "An answer"}

_DECISIONS = {
    "DRAFT": "Wrote a message",
    "GOAL_ACHIEVED": "Goal achieved",
    "FAILED_REJECTED": "Ended the case without the result",
    "INPUT_NEEDED": "Asked a human",
    "REQUIRES_REPLY": "Answered in the thread",
    "SNOOZE": "Put it off",
}

_DELIVERY_CHIPS = {
    "pending": Chip("Waiting", LIVE),
    "sending": Chip("Being sent", LIVE),
    "delivered": Chip("Delivered", GOOD),
    "failed": Chip("Failed", BAD),
    "unknown": Chip("Outcome unknown", BAD),
    "": Chip("Being sent", LIVE),
}

_OUTBOUND_CHIPS = {
    "frozen": Chip("Not sent yet", LIVE),
    "sending": Chip("Being sent", LIVE),
    "unknown": Chip("Perhaps sent", BAD),
    "sent": Chip("Sent", GOOD),
    "refused": Chip("Refused", BAD),
    "abandoned": Chip("Not sent: overtaken", QUIET),
}
NO_CASE = Chip("No case", HUMAN)

_MAIL_NOTES = {
    "autoreply": "automatic reply",
    "out_of_office": "out of office",
    "acknowledgement": "automatic acknowledgement",
    "delivery_report": "delivery report",
    "spam": "marked as spam: not evaluated",
    "blocked": "blocked sender: not evaluated",
    "unauthenticated": "sender not authenticated",
}


def describe_status(status: str) -> Chip:
    """Returns the chip of a case's status; a status that nobody knows is shown as it is."""
    return _STATUS_CHIPS.get(status, Chip(status, QUIET))


def describe_next_action(status: str, next_action: str, at: datetime | None, now: datetime) -> str:
    """Returns what happens next to a case, in words. `at` and `now` are on the case's own clock."""
    if status == Status.CREATED:
        return "The first message is about to be written"
    if status == Status.INPUT_NEEDED:
        return "Waits for a person to answer"
    if status != Status.RUNNING:
        return "The case has ended"
    if at is None:
        return "The latest mail is about to be evaluated"
    what = "Looks at the thread again" if next_action == NextAction.RECHECK else "Follows up"
    return f"{what} {format_time(at)}" if at > now else f"{what} as soon as a worker is free"


def describe_next_action_briefly(status: str, next_action: str) -> str:
    """Returns what a case waits for in a word or two, for a list; "—" once it has ended."""
    if status == Status.RUNNING:
        return _BRIEF_ACTIONS.get(next_action, "Evaluation")
    return _BRIEF_STATUSES.get(status, "—")


def describe_attempts(attempt_count: int, follow_ups_sent: int, max_attempts: int) -> str:
    """Returns how many mails went out, and how many of the follow-ups are used."""
    mails = "1 mail" if attempt_count == 1 else f"{attempt_count} mails"
    return f"{mails} sent, {follow_ups_sent} of {max_attempts} follow-ups"


def describe_result(result_status: str) -> str:
    """Returns how a case ended, "" while it has not; a result status that nobody knows is shown as it is."""
    return _RESULTS.get(result_status, result_status)


def describe_suppression(address: str, reason: str, at: datetime, *, is_own: bool) -> str:
    """Returns why and since when (`at`) an address gets no more mail; `is_own` says that this very case found out."""
    what = _SUPPRESSIONS.get(reason, "{address} was put on the list of addresses that get no mail").format(
        address=address
    )
    where = "in this case" if is_own else "in another case"
    place = f", {where}" if reason in _SUPPRESSIONS else f" ({reason})"
    return f"{what} on {format_time(at)}{place}; Offload does not write to it any more."


def describe_request_to_stop(address: str, at: datetime) -> str:
    """Returns since when (`at`) a client may not write to an address that asked for it."""
    return f"{address} asked on {format_time(at)} not to be written to; Offload does not write there for this client."


def describe_readers(counterparty_name: str) -> str:
    """Returns what somebody must know before they answer: who may read it. What they can write, the question says."""
    who = first_name(counterparty_name) or "The counterparty"
    return f"{who} may read these words: an answer to a question of theirs is sent to them as you write it."


def describe_wait(waited: timedelta) -> str:
    """Returns for how long something has waited, in its largest unit; a clock that runs behind counts as no time."""
    return f"waits {_describe_span(waited)}"


def describe_age(age: timedelta) -> str:
    """Returns how long ago something was, in its largest unit; a clock that runs behind counts as no time."""
    return f"{_describe_span(age)} ago"


def _describe_span(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 60:
        return _count(minutes, "minute")
    hours = minutes // 60
    return _count(hours, "hour") if hours < 48 else _count(hours // 24, "day")


def describe_empty_list(state: str | None) -> str:
    """Returns what a list without a case says, by the state it is narrowed to (None: not by a state alone)."""
    return _EMPTY_LISTS.get(state, "No case is in this state.")


def describe_event(kind: str) -> str:
    """Returns an event's title; a kind that nobody knows is shown as it is."""
    return _EVENT_TITLES.get(kind, kind)


def describe_event_state(
    status: str, *, run_after: datetime, attempt: int, failures: int, now: datetime
) -> Chip | None:
    """Returns the chip of an event that is not done, or None when it is."""
    if status == "dead":
        return Chip(f"Given up after {_count(failures, 'failure')}", HUMAN)
    if status == "running":
        return Chip("Being worked on" if attempt <= 1 else f"Being worked on, attempt {attempt}", LIVE)
    if status != "ready":
        return None
    if run_after > now:
        return Chip(f"Tried again {format_time(run_after)}", LIVE)
    return Chip("Waits for a worker", LIVE)


def tell_requeued(title: str) -> str:
    """Returns what the audit log says about a step that somebody put back."""
    return f"Put back the step “{title}”."


def tell_given_up(title: str) -> str:
    """Returns what the audit log says about a case that somebody ended over a step."""
    return f"Ended the case over the step “{title}”."


def describe_effort(attempt: int, failures: int, waits: int) -> str:
    """Returns how hard an event was to get done, or "" when it went through at once."""
    parts = []
    if attempt > 1:
        parts.append(f"{attempt} attempts")
    if failures:
        parts.append(_count(failures, "failure"))
    if waits:
        parts.append(f"waited {_count(waits, 'time')} for somebody else")
    return ", ".join(parts)


def describe_decision(decision: Mapping[str, Any]) -> str:
    """Returns what the agent decided, in a few words."""
    kind = str(decision.get("kind", ""))
    return _DECISIONS.get(kind, kind or "No decision is on record")


def describe_usage(tokens_in: int, tokens_out: int, cost_usd: Decimal | None, latency_ms: int) -> str:
    """Returns what a call of the agent took; an unknown price says nothing, for it is not zero."""
    parts = [f"{latency_ms / 1000:.1f} s"]
    if tokens_in or tokens_out:
        parts.append(f"{tokens_in:,} tokens read, {tokens_out:,} written")
        parts.append("price unknown" if cost_usd is None else f"{cost_usd:.4f} US dollars")
    return ", ".join(parts)


def describe_evidence(decision: Mapping[str, Any], sources: Mapping[str, str]) -> tuple[str, ...]:
    """Returns one sentence for each word that a decision rests on; `sources` name the mails by their ids."""
    entries = decision.get("evidence")
    return tuple(
        _tell_evidence(entry, sources) for entry in (entries if isinstance(entries, list) else []) if entry.get("quote")
    )


def _tell_evidence(entry: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    message_id = str(entry.get("message_id", ""))
    source = sources.get(message_id, "a mail that is not shown here")
    if message_id.startswith("human:"):
        source = f"answer {message_id.removeprefix('human:')} of a colleague"
    field = f"{entry['field']}: " if entry.get("field") else ""
    return f"{field}“{entry['quote']}” — {source}"


def describe_delivery(state: str) -> Chip:
    """Returns the chip of a webhook delivery or of one of its attempts."""
    return _DELIVERY_CHIPS.get(state, Chip(state, QUIET))


def describe_outbound(state: str) -> Chip:
    """Returns the chip of a mail of ours; a state that nobody knows is shown as it is."""
    return _OUTBOUND_CHIPS.get(state, Chip(state, QUIET))


def describe_mail(automatic: str, variant: str, dmarc: str = "") -> str:
    """Returns what is unusual about a mail, or "" for a person's own words."""
    forged = "failed DMARC: the sender may be forged" if dmarc == "fail" else ""
    return ", ".join(note for note in (_MAIL_NOTES.get(variant, ""), _MAIL_NOTES.get(automatic, ""), forged) if note)


def format_time(moment: datetime) -> str:
    """Returns a moment in UTC, to the minute."""
    return f"{moment:%-d %b %Y, %H:%M} UTC"


def format_time_briefly(moment: datetime) -> str:
    """Returns a moment in UTC without saying so, for a column whose head says it."""
    return f"{moment:%-d %b %Y, %H:%M}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
