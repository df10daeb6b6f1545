"""What a case does, in plain words and as JSON, for whoever plays its counterparty; must not change anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentmail.sandbox.beside import Note
from cases.models import AgentRun, Case, CaseEvent, to_ms
from cases.workflow import EventKind, NextAction, ResultStatus, Status

KINDS: dict[str, str] = {
    EventKind.CASE_CREATED: "Case opened",
    EventKind.FOLLOW_UP_DUE: "Follow-up due",
    EventKind.RECHECK_DUE: "Time to look again",
    EventKind.REPLY_RECEIVED: "Your reply arrived",
    EventKind.INPUT_PROVIDED: "A human answered",
    EventKind.DELIVERY_FAILED: "Report of the mail provider",
    EventKind.CASE_CANCELLED: "Case cancelled",
    "CASE_CLOSED": "Closed by a human",
    "CASE_PAUSED": "Paused by a human",
    "CASE_RESUMED": "Resumed by a human",
    "REEVALUATION_ASKED": "A human asks for another look",
}
NOTES = {
    Status.CREATED: Note("opening", "calm"),
    Status.RUNNING: Note("running", "calm"),
    Status.INPUT_NEEDED: Note("asks a human", "act"),
    Status.COMPLETED: Note("completed", "good"),
    Status.FAILED: Note("failed", "bad"),
}
ENDS: dict[str, str] = {
    ResultStatus.MAX_RETRIES: "The follow-ups are used up, and nobody has answered.",
    ResultStatus.FAILED_REJECTED: "You refused.",
    ResultStatus.BOUNCED: "The mail bounced. The address gets no more mail.",
    ResultStatus.COMPLAINED: "The mail was reported as spam. The address gets no more mail.",
    ResultStatus.REJECTED: "The mail provider rejected the mail.",
    ResultStatus.CANCELLED: "It was cancelled.",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of the timeline; `state` is done, working, waiting or dead."""

    title: str
    said: str
    reason: str
    at: datetime
    state: str


def represent(case: Case, now: datetime) -> dict[str, Any]:
    """Returns the answer of `GET /sandbox/case` (docs/sandbox.md); `now` is the real clock."""
    return {
        "caseId": str(case.id),
        "objective": case.objective,
        "status": case.status,
        "hasEnded": Status(case.status).is_terminal,
        "resultStatus": case.result_status,
        "result": case.result,
        "attemptCount": case.attempt_count,
        "nextActionAt": case.get_next_action_ms(),
        "now": to_ms(case.get_now(now)),
        "question": find_question(case),
        "events": [_represent_event(event) for event in case.events.order_by("id")],
    }


def _represent_event(event: CaseEvent) -> dict[str, Any]:
    said = event.summary or event.last_error
    return {"kind": event.kind, "status": event.status, "summary": said, "at": event.created_at.isoformat()}


def find_question(case: Case) -> str:
    """Returns the question that waits for a human, or ""."""
    pending = case.input_requests.filter(status="PENDING").order_by("-requested_at", "-id").first()
    return pending.question if pending else ""


def list_moments(case: Case) -> list[Moment]:
    """Returns what happened to the case, newest first, each with the agent's reason where it gave one."""
    reasons = dict(AgentRun.objects.filter(case=case).values_list("event_id", "rationale"))
    return [_tell_event(event, reasons.get(event.pk, "")) for event in case.events.order_by("-id")]


def _tell_event(event: CaseEvent, reason: str) -> Moment:
    states = {CaseEvent.READY: "waiting", CaseEvent.RUNNING: "working", CaseEvent.DEAD: "dead"}
    state = states.get(event.status, "done")
    words = {"waiting": "Waits for a worker.", "working": "A worker is at it."}
    said = words.get(state) or event.summary or event.last_error
    if state == "waiting" and event.last_error:
        said = f"Is tried again: {event.last_error}"
    return Moment(KINDS.get(event.kind, event.kind), said, reason, event.created_at, state)


def tell_state(case: Case, moments: list[Moment]) -> str:
    """Returns one sentence on what the case does at this moment."""
    if any(moment.state in ("waiting", "working") for moment in moments) and case.paused_at is None:
        return "The agent is writing its first mail." if case.status == Status.CREATED else "The agent is at work."
    match Status(case.status):
        case Status.COMPLETED:
            return "The goal is achieved, and the client has its result."
        case Status.FAILED:
            return ENDS.get(case.result_status) or case.failure_reason
        case Status.INPUT_NEEDED:
            return "A human of ours has to answer a question before it goes on."
    if case.paused_at is not None:
        return "A human of ours has paused it: mail is recorded, and nothing is sent."
    if case.next_action == NextAction.RECHECK:
        return "It waits until the day that you named, and looks again then."
    return "It waits for your reply."


def list_results(case: Case) -> list[tuple[str, str]]:
    """Returns name and value of each member of the result, values that are no text as JSON."""
    titles = (case.result_schema or {}).get("properties", {})
    return [
        (_find_title(titles, name), value if isinstance(value, str) else json.dumps(value, indent=1, default=str))
        for name, value in (case.result or {}).items()
    ]


def _find_title(titles: Any, name: str) -> str:
    # A client may send any object as its schema.
    known = titles.get(name) if isinstance(titles, dict) else None
    title = known.get("title") if isinstance(known, dict) else None
    return title if isinstance(title, str) else name
