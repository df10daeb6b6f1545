"""PURE: what a run prints, its line of figures and the story of each case that went wrong; must not judge anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tests.chaos.checker import Fault, Violation
from tests.chaos.evidence import CaseFile, Evidence
from tests.chaos.plan import KILLS, Blow


@dataclass(frozen=True, slots=True)
class Run:
    """What happened, beside what the rows tell. Times in seconds; `drained_s` counts from the last fault."""

    seed: int
    struck: Mapping[str, int]
    faults_met: int
    lasted_s: float
    drained_s: float
    unrest: Mapping[str, int]
    requeued: int = 0


def write_figures(run: Run, evidence: Evidence, violations: list[Violation]) -> str:
    """Returns the one line that a run is remembered by."""
    faults = Counter(violation.fault for violation in violations)
    events = [event for case in evidence.files for event in case.events]
    deliveries = Counter(delivery.state for case in evidence.files for delivery in case.deliveries)
    kills = sum(run.struck.get(blow, 0) for blow in set(KILLS))
    figures = {
        "cases": len(evidence.files),
        "kills": kills,
        "database restarts": run.struck.get(Blow.RESTART_DATABASE, 0),
        "queue wipes": run.struck.get(Blow.WIPE_QUEUE, 0),
        "queue stops": run.struck.get(Blow.STOP_QUEUE, 0),
        "provider faults": run.faults_met,
        "mails": sum(len(case.accepted) for case in evidence.files),
        "events": len(events),
        "events taken again": sum(event.attempt > 1 for event in events),
        "requeued by support": run.requeued,
        "dead": sum(event.status == "dead" for event in events),
        "client webhooks": sum(deliveries.values()),
        "unknown": deliveries["unknown"],
        "failed": deliveries["failed"],
        "lost": faults[Fault.LOST],
        "wrong": faults[Fault.WRONG],
        "twice": faults[Fault.TWICE],
    }
    told = ", ".join(f"{count} {name}" for name, count in figures.items())
    drained = f"drained {run.drained_s:.0f} s after the last fault"
    if run.unrest:
        drained = f"NOT drained after {run.drained_s:.0f} s ({dict(run.unrest)})"
    return f"chaos: {told}; {drained}, {run.lasted_s:.0f} s in all; seed {run.seed}"


def write_stories(evidence: Evidence, violations: list[Violation], most: int = 20) -> str:
    """Returns each violation with all that is known of its case, for the first `most` cases."""
    by_case: dict[str, list[Violation]] = {}
    for violation in violations:
        by_case.setdefault(violation.reference, []).append(violation)
    files = {case.told.reference: case for case in evidence.files}
    parts = []
    for reference, found in list(by_case.items())[:most]:
        lines = [f"{violation.fault.upper()} {violation.text}" for violation in found]
        parts.append("\n".join([f"== {reference or 'no case'}", *lines, *tell_story(files.get(reference))]))
    if len(by_case) > most:
        parts.append(f"and {len(by_case) - most} cases more")
    return "\n\n".join(parts)


def tell_story(case: CaseFile | None) -> list[str]:
    """Returns the lines of one case: what was done to it, what it became, and everything in the order of time."""
    if case is None:
        return []
    told = case.told
    lines = [f"  shape {told.shape}, case {told.case_id or 'not acknowledged'}, expected {told.ending}"]
    lines += [f"  done: {'; '.join(told.steps)}"]
    lines += [f"  row: {row}" for row in case.stored]
    lines += [f"  {at:%H:%M:%S.%f} {text}" for at, text in sorted(_list_moments(case))]
    for event in case.events:
        counts = f"attempt {event.attempt}, failures {event.failures}, waits {event.waits}"
        said = f"{event.summary or '-'} / {event.last_error or '-'}"
        lines.append(f"  event {event.event_id} {event.kind} {event.status}, {counts}: {said}")
    for mail in case.own_mails:
        lines.append(f"  mail of event {mail.reference}: {mail.state}, attempts {mail.attempts}; {mail.last_error}")
    lines += [f"  question {asked}" for asked in case.inputs]
    lines += [f"  webhook {d.event_type} {d.state} {d.outcomes}" for d in case.deliveries]
    return lines


def _list_moments(case: CaseFile) -> Iterator[tuple[datetime, str]]:
    for step in case.steps:
        yield step.at, f"case {step.status} {step.result_status} attemptCount {step.attempt_count}"
    for change in case.event_steps:
        yield change.at, f"event {change.event_id} {change.status}, attempt {change.attempt}"
    for run in case.runs:
        yield run.created_at, f"agent, event {run.event_id}: {run.operation} {run.decision} {run.mail_kind}"
    for mail in case.accepted:
        yield mail.accepted_at, f"provider sent {mail.message_id}"
    for received in case.received:
        yield received.received_at, f"webhook arrived {received.event_id}"
