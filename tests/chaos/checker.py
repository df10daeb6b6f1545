"""PURE: what must hold for every case after a run, whatever was struck; must not read a row or a clock itself.

Each check takes one case's file and yields what is wrong with it. `lost` is what was acknowledged and is not there or
never got to its end, `twice` is what happened more often than it may, `wrong` is everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from tests.chaos.evidence import CaseFile, CaseRow, Evidence

# A request that was begun before the end may still be on its way to the provider.
IN_FLIGHT = timedelta(seconds=10)

TERMINAL = ("COMPLETED", "FAILED")
LEGAL = {
    "CREATED": ("CREATED", "RUNNING", "INPUT_NEEDED", "FAILED"),
    "RUNNING": ("RUNNING", "INPUT_NEEDED", "COMPLETED", "FAILED"),
    "INPUT_NEEDED": ("INPUT_NEEDED", "RUNNING", "COMPLETED", "FAILED"),
    "COMPLETED": ("COMPLETED",),
    "FAILED": ("FAILED",),
}
LEGAL_EVENTS = {
    "ready": ("running",),
    "running": ("ready", "done", "dead", "running"),
    "done": (),
    # Support puts a dead event back.
    "dead": ("ready",),
}
END_NOTICES = {"COMPLETED": "case.completed", "FAILED": "case.failed"}


class Fault(StrEnum):
    LOST = "lost"
    TWICE = "twice"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Violation:
    reference: str
    fault: Fault
    text: str


Finding = tuple[Fault, str]
Check = Callable[[CaseFile], Iterator[Finding]]


def check_story(case: CaseFile) -> Iterator[Finding]:
    """The case was acknowledged, is stored once, and its story came to its end."""
    if case.told.ending is None:
        yield Fault.LOST, f"its story came to no end: {case.told.trouble}"
    if not case.stored and case.told.case_id:
        yield Fault.LOST, f"case {case.told.case_id} was acknowledged and is not stored"
    if len(case.stored) > 1:
        yield Fault.TWICE, f"one POST /cases opened {len(case.stored)} cases"


def check_end(case: CaseFile) -> Iterator[Finding]:
    """It ended as its story says, with nothing scheduled and no question open."""
    ending = case.told.ending
    if ending is None:
        return
    for row in case.stored:
        reached = (row.status, row.result_status)
        if reached != (ending.status, ending.result_status):
            yield Fault.WRONG, f"it is {reached}, and should be {(ending.status, ending.result_status)}"
        if ending.result is not None and row.result != ending.result:
            yield Fault.WRONG, f"its result is {row.result}, and should be {ending.result}"
        if row.is_scheduled and row.status != "RUNNING":
            yield Fault.WRONG, "something is scheduled for it though it does not run"
    if case.stored and case.stored[0].status in TERMINAL:
        for asked in case.inputs:
            if asked.status != "RESOLVED":
                yield Fault.WRONG, f"it has ended, and question {asked.input_request_id} still waits"


def check_shown(case: CaseFile) -> Iterator[Finding]:
    """GET /cases/{id} shows the client what is stored."""
    for row in case.stored:
        names = ("status", "resultStatus", "attemptCount")
        shown = tuple(case.told.shown.get(name) for name in names)
        if shown != (row.status, row.result_status or None, row.attempt_count):
            stored = (row.status, row.result_status, row.attempt_count)
            yield Fault.WRONG, f"the API shows {shown}, and stored is {stored}"
        if case.told.shown.get("result") != row.result:
            yield Fault.WRONG, "the API shows another result than is stored"


def check_inputs(case: CaseFile) -> Iterator[Finding]:
    """Every answer that was acknowledged is stored and was worked on."""
    stored = {asked.input_request_id: asked.answer for asked in case.inputs}
    keys = {event.key for event in case.events}
    for given in case.told.inputs:
        if stored.get(given.input_request_id) != given.text:
            yield Fault.LOST, f"the answer to question {given.input_request_id} was acknowledged and is not stored"
        elif f"input:{given.input_request_id}" not in keys:
            yield Fault.LOST, f"the answer to question {given.input_request_id} has no event"


def check_replies(case: CaseFile) -> Iterator[Finding]:
    """Every mail of the counterparty is stored once, and stands on the case's timeline once."""
    recorded = Counter(event.payload.get("message_id") for event in case.events if event.kind == "REPLY_RECEIVED")
    heard = Counter(case.heard)
    for message_id in case.told.replies:
        if not heard[message_id] or not recorded[message_id]:
            yield Fault.LOST, f"the reply {message_id} is not on the case's timeline"
        if heard[message_id] > 1 or recorded[message_id] > 1:
            yield Fault.TWICE, f"the reply {message_id} was recorded more than once"


def check_rest(case: CaseFile) -> Iterator[Finding]:
    """Every event is done, or dead with its reason."""
    for event in case.events:
        if event.status in ("ready", "running"):
            yield Fault.LOST, f"event {event.event_id} {event.kind} is still {event.status}: {event.last_error}"
        elif event.status == "dead" and not event.last_error:
            yield Fault.WRONG, f"event {event.event_id} {event.kind} is dead without a reason"


def check_mail_once(case: CaseFile) -> Iterator[Finding]:
    """No mail went out twice: not under one key, not under two, and not with the same words."""
    for name, values in (
        ("idempotency key", [mail.idempotency_key for mail in case.accepted]),
        ("label", [label for mail in case.accepted for label in mail.labels if label.startswith("offload-")]),
        ("text", [mail.text for mail in case.accepted]),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                yield Fault.TWICE, f"{count} mails went out with the {name} {value[:80]!r}"
    for reference, count in Counter(mail.reference for mail in case.own_mails).items():
        if count > 1:
            yield Fault.TWICE, f"event {reference} wrote {count} mails"


def check_mail_known(case: CaseFile) -> Iterator[Finding]:
    """Offload and the provider agree about which mails were sent."""
    own = {mail.idempotency_key: mail for mail in case.own_mails}
    for accepted in case.accepted:
        mail = own.pop(accepted.idempotency_key, None)
        if mail is None:
            yield Fault.WRONG, f"the provider sent {accepted.message_id}, which Offload did not write"
        elif mail.state != "sent":
            yield Fault.LOST, f"the provider sent {accepted.message_id}, and Offload takes it for {mail.state}"
        elif (mail.message_id, mail.text) != (accepted.message_id, accepted.text):
            yield Fault.WRONG, f"Offload knows {accepted.message_id} by another id or text"
    for mail in own.values():
        if mail.state in ("sent", "sending", "unknown"):
            yield Fault.LOST, f"Offload takes a mail for {mail.state} that the provider never sent: {mail.last_error}"


def check_counts(case: CaseFile) -> Iterator[Finding]:
    """attemptCount is the number of mails; follow-ups are counted once each and never exceed their budget."""
    sent = len(case.accepted)
    done = {event.event_id for event in case.events if event.status == "done"}
    sent_for = {mail.reference for mail in case.own_mails if mail.state == "sent"}
    runs = [run for run in case.runs if run.event_id in done and str(run.event_id) in sent_for]
    follow_ups = sum(run.mail_kind in ("follow_up", "nudge") for run in runs)
    for row in case.stored:
        if row.attempt_count != sent:
            yield Fault.WRONG, f"attemptCount is {row.attempt_count}, and {sent} mails were sent"
        if row.follow_ups_sent != follow_ups:
            yield Fault.WRONG, f"it counts {row.follow_ups_sent} follow-ups, and {follow_ups} were sent"
        if row.follow_ups_sent > row.max_attempts:
            yield Fault.TWICE, f"{row.follow_ups_sent} follow-ups were sent, and {row.max_attempts} are allowed"
    if sum(run.mail_kind == "outreach" for run in runs) > 1:
        yield Fault.TWICE, "the first message was sent more than once"
    if case.told.ending is not None:
        least, most = case.told.ending.mails
        if sent < least:
            yield Fault.LOST, f"{sent} mails were sent, and at least {least} are due"
        if sent > most:
            yield Fault.TWICE, f"{sent} mails were sent, and at most {most} are due"


def check_nothing_after_end(case: CaseFile) -> Iterator[Finding]:
    """No send was begun after the end, not by a moment, and no mail left later than one that was in flight."""
    ended_at = find_end(case)
    if ended_at is None:
        return
    for begun in case.send_steps:
        # Both times were taken under the case's lock, by one clock.
        if begun.at > ended_at:
            late = (begun.at - ended_at).total_seconds()
            yield Fault.WRONG, f"a send was begun {late:.3f} s after the end (event {begun.reference})"
    for accepted in case.accepted:
        if accepted.accepted_at > ended_at + IN_FLIGHT:
            late = (accepted.accepted_at - ended_at).total_seconds()
            yield Fault.WRONG, f"{accepted.message_id} was sent {late:.1f} s after the end"


def find_end(case: CaseFile) -> datetime | None:
    """Returns when the case ended, as it was committed; None while it has not."""
    return next((step.at for step in case.steps if step.status in TERMINAL), None)


def check_transitions(case: CaseFile) -> Iterator[Finding]:
    """Every committed change of the case was a legal one."""
    if case.steps and case.steps[0].status != "CREATED":
        yield Fault.WRONG, f"it was born {case.steps[0].status}"
    for before, after in pairwise(case.steps):
        if after.status not in LEGAL[before.status]:
            yield Fault.WRONG, f"it went from {before.status} to {after.status}"
        if before.status in TERMINAL and (before.result_status, before.result) != (after.result_status, after.result):
            yield Fault.WRONG, f"its end changed from {before.result_status} to {after.result_status}"
        if after.attempt_count - before.attempt_count not in (0, 1):
            yield Fault.TWICE, f"attemptCount went from {before.attempt_count} to {after.attempt_count} in one step"
        if after.follow_ups_sent < before.follow_ups_sent:
            yield Fault.WRONG, "a follow-up was taken back"


def check_events_once(case: CaseFile) -> Iterator[Finding]:
    """Each event was done once, its attempts rose one by one, and only one event of the case ran at a time."""
    last: dict[int, tuple[str, int]] = {}
    running: set[int] = set()
    for step in case.event_steps:
        if step.event_id in last:
            status, attempt = last[step.event_id]
            if step.status not in LEGAL_EVENTS[status]:
                yield Fault.TWICE, f"event {step.event_id} went from {status} to {step.status}"
            if step.attempt - attempt != (1 if step.status == "running" else 0):
                yield Fault.WRONG, f"event {step.event_id} went from attempt {attempt} to {step.attempt}"
        last[step.event_id] = (step.status, step.attempt)
        running.discard(step.event_id)
        if step.status == "running":
            if running:
                yield Fault.TWICE, f"event {step.event_id} was started while event {min(running)} ran"
            running.add(step.event_id)


def check_order(case: CaseFile) -> Iterator[Finding]:
    """Events were finished in the order in which they were recorded; those born done are only on the timeline."""
    finished = [event for event in case.events if event.attempt and event.finished_at and event.status == "done"]
    for before, after in pairwise(finished):
        if before.finished_at and after.finished_at and after.finished_at < before.finished_at:
            yield Fault.WRONG, f"event {after.event_id} was done before event {before.event_id}"


def check_agent(case: CaseFile) -> Iterator[Finding]:
    """The agent's answers are kept once for each event, and there are never more of them than attempts."""
    attempts = {event.event_id: event.attempt for event in case.events}
    for event_id, count in Counter(run.event_id for run in case.runs).items():
        if count > 1 or count > attempts.get(event_id, 0):
            yield Fault.TWICE, f"event {event_id} has {count} runs of the agent in {attempts.get(event_id, 0)} attempts"


def check_notices(case: CaseFile) -> Iterator[Finding]:
    """The client is told of each question and of the end, once each, and of the end as it was."""
    kinds = Counter(delivery.event_type for delivery in case.deliveries)
    if kinds["case.input_needed"] != len(case.inputs):
        yield Fault.WRONG, f"{len(case.inputs)} questions were asked, and {kinds['case.input_needed']} told"
    for row in case.stored:
        expected = END_NOTICES.get(row.status)
        for event_type in END_NOTICES.values():
            due = int(event_type == expected)
            if kinds[event_type] > due:
                yield Fault.TWICE, f"{kinds[event_type]} webhooks {event_type} were recorded, and {due} are due"
            elif kinds[event_type] < due:
                yield Fault.LOST, f"the webhook {event_type} was not recorded"
        yield from _check_end_notice(case, row)


def _check_end_notice(case: CaseFile, row: CaseRow) -> Iterator[Finding]:
    for delivery in case.deliveries:
        data = delivery.body.get("data", {})
        if delivery.event_type == END_NOTICES.get(row.status) and (
            (data.get("status"), data.get("resultStatus")) != (row.status, row.result_status)
            or (data.get("result") or None) != (row.result or None)
        ):
            yield Fault.WRONG, f"the webhook {delivery.event_id} tells another end than the case has"


def check_deliveries(case: CaseFile) -> Iterator[Finding]:
    """Each webhook was tried once and arrived at most once; one that counts as delivered did arrive."""
    arrived = Counter(received.event_id for received in case.received)
    for delivery in case.deliveries:
        count = arrived.pop(delivery.event_id, 0)
        if delivery.state in ("pending", "sending"):
            yield Fault.LOST, f"the webhook {delivery.event_id} is still {delivery.state}"
        elif len(delivery.outcomes) != 1:
            yield Fault.TWICE, f"the webhook {delivery.event_id} was tried {len(delivery.outcomes)} times"
        if count > 1:
            yield Fault.TWICE, f"the webhook {delivery.event_id} arrived {count} times"
        if delivery.state == "delivered" and not count:
            yield Fault.LOST, f"the webhook {delivery.event_id} counts as delivered and did not arrive"
    for event_id in arrived:
        yield Fault.WRONG, f"a webhook {event_id} arrived that was never recorded"


CHECKS: tuple[Check, ...] = (
    check_story,
    check_end,
    check_shown,
    check_inputs,
    check_replies,
    check_rest,
    check_mail_once,
    check_mail_known,
    check_counts,
    check_nothing_after_end,
    check_transitions,
    check_events_once,
    check_order,
    check_agent,
    check_notices,
    check_deliveries,
)


def check_case(case: CaseFile) -> list[Violation]:
    """Returns everything that is wrong with one case."""
    return [Violation(case.told.reference, fault, text) for check in CHECKS for fault, text in check(case)]


def check_run(evidence: Evidence) -> list[Violation]:
    """Returns everything that is wrong with the run."""
    found = [violation for case in evidence.files for violation in check_case(case)]
    return [*found, *[Violation("", Fault.WRONG, f"there is {stranger}") for stranger in evidence.strangers]]
