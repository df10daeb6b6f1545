"""Stores the provider's events once and hands what belongs to somebody to the hooks; must not touch the network.

What belongs to nobody yet waits, because a reply can outrun the commit of its thread. Lock order, everywhere: the
thread's advisory lock, rows of this app, then whatever the hooks lock.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction

from agentmail.automatic import AutomaticKind
from agentmail.inbound import AttachmentInfo, EventKind, InboundMail, ParsedEvent, ReportKind, Variant
from agentmail.models import InboundEmail, OutboundEmail, ProviderEvent
from agentmail.ownership import HIDDEN, find_owner, keep_promising, list_ancestors, message_id_forms
from agentmail.rows import Rows
from agentmail.suppression import suppress

logger = logging.getLogger(__name__)

# A reply outruns our commit by seconds; three days also cover a long repair on our side.
WAITING_TIME = timedelta(days=3)
_BATCH = 500


@dataclass(frozen=True)
class MatchedReply:
    """A received mail whose owner is known. It may be automatic, unauthenticated or from another person."""

    owner: UUID
    email_id: UUID
    inbox_id: str
    message_id: str
    thread_id: str
    variant: Variant
    automatic: AutomaticKind
    from_address: str
    attachments: tuple[AttachmentInfo, ...]
    received_at: datetime


@dataclass(frozen=True)
class MatchedFailure:
    """A mail of the owner's failed for good. `addresses` are in lower case.

    `at` is what the provider says and may lie hours back or ahead; `received_at` is our own clock.
    """

    owner: UUID
    event_id: str
    kind: ReportKind
    addresses: tuple[str, ...]
    detail: str
    at: datetime
    received_at: datetime


_EVENTS, _MAILS = Rows(ProviderEvent), Rows(InboundEmail)

OnReply = Callable[[MatchedReply], object]
OnDeliveryFailure = Callable[[MatchedFailure], object]


class StoredOutcome(StrEnum):
    """What became of an event: known already, handed over, waiting for its owner, or only kept."""

    DUPLICATE = "duplicate"
    MATCHED = "matched"
    WAITING = "waiting"
    KEPT = "kept"


@dataclass(frozen=True)
class StoredEvent:
    """What store_event did. `email_id` is set when a received mail was stored by this very call."""

    event_id: str
    outcome: StoredOutcome
    owner: UUID | None = None
    email_id: UUID | None = None


@transaction.atomic
def store_event(
    parsed: ParsedEvent, *, now: datetime, on_reply: OnReply, on_delivery_failure: OnDeliveryFailure
) -> StoredEvent:
    """Returns what became of the event, stored in one transaction; the hooks run in it too.

    The same event again, or the same message under another event, changes nothing and calls nothing; so do
    simultaneous deliveries. A hook that raises leaves the message waiting, so that the event itself is never lost.
    Raises django.db.Error alone.
    """
    event = _to_event(parsed, now)
    if not _EVENTS.insert(event, on_conflict="DO NOTHING"):
        return StoredEvent(parsed.event_id, StoredOutcome.DUPLICATE)
    if parsed.mail is not None:
        return _store_mail(event, parsed.mail, now, on_reply)
    if parsed.report is not None:
        return _store_report(event, now, on_delivery_failure)
    return StoredEvent(parsed.event_id, StoredOutcome.KEPT)


def store_live_mail(mail: InboundMail, *, now: datetime, on_reply: OnReply) -> StoredEvent:
    """Returns what became of a mail that was found in its thread at the provider and whose webhook never came.

    It is stored and handed over as the webhook would have done; the webhook that comes after all is a duplicate.
    """
    digest = hashlib.sha256(f"{mail.inbox_id} {mail.message_id}".encode()).hexdigest()
    found = ParsedEvent(
        event_id=f"live:{digest}",
        svix_id="",
        event_type="thread.read",
        kind=EventKind.MAIL,
        payload={},
        inbox_id=mail.inbox_id,
        thread_id=mail.thread_id,
        message_id=mail.message_id,
        mail=mail,
    )
    return store_event(found, now=now, on_reply=on_reply, on_delivery_failure=lambda _: None)


def match_waiting(
    thread_id: str, owner: UUID, now: datetime, *, on_reply: OnReply, on_delivery_failure: OnDeliveryFailure
) -> int:
    """Returns how many waiting messages and reports of the owner's thread were handed over.

    Call it after the thread's id was stored, in that transaction; before any other row lock of the transaction call
    lock_thread, or a webhook that holds the thread and wants your row deadlocks with you. What another transaction
    is matching at this moment is left to it. Raises ValueError without a thread id: "" is many reports' thread.
    """
    if not thread_id:
        raise ValueError("match_waiting needs the id of a thread")
    lock_thread(thread_id)
    waiting = {"thread": thread_id, "forms": message_id_forms(_list_sent_ids(owner, thread_id))}
    matched = 0
    for mail in _MAILS.find(_WAITING_MAILS, waiting, lock=_UNLESS_TAKEN):
        matched += _assign_mail(mail, owner, now, on_reply)
    for report in _EVENTS.find(_WAITING_REPORTS, waiting, lock=_UNLESS_TAKEN):
        matched += _assign_report(report, owner, now, on_delivery_failure)
    return matched


def _list_sent_ids(owner: UUID, thread_id: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT message_id FROM agentmail_outboundemail WHERE owner = %s AND thread_id = %s AND message_id <> ''",
            [owner, thread_id],
        )
        return [row[0] for row in cursor.fetchall()]


_UNLESS_TAKEN = "FOR UPDATE SKIP LOCKED"
_WAITING_MAILS = """
    owner IS NULL AND (thread_id = %(thread)s OR in_reply_to = ANY(%(forms)s))
    ORDER BY received_at, message_id
"""
_WAITING_REPORTS = """
    owner IS NULL AND kind = 'report' AND (thread_id = %(thread)s OR message_id = ANY(%(forms)s))
    ORDER BY received_at, event_id
"""


def match_all_waiting(now: datetime, *, on_reply: OnReply, on_delivery_failure: OnDeliveryFailure) -> int:
    """Returns how many messages and reports of the last three days found their owner only in this pass.

    Each is handed over in a transaction of its own, so call it outside any. A second pass, or two at once, hand
    nothing over twice.
    """
    since = now - WAITING_TIME
    matched = 0
    for mail_id, thread_id in _promising_mails(since):
        with transaction.atomic(durable=True):
            lock_thread(thread_id)
            mail = InboundEmail.objects.select_for_update(skip_locked=True).filter(pk=mail_id, owner=None).first()
            owner = find_owner(mail.thread_id, list_ancestors(mail.in_reply_to, mail.references)) if mail else None
            if mail and owner:
                matched += _assign_mail(mail, owner, now, on_reply)
    for report_id, thread_id in _promising_reports(since):
        with transaction.atomic(durable=True):
            lock_thread(thread_id)
            report = ProviderEvent.objects.select_for_update(skip_locked=True).filter(pk=report_id, owner=None).first()
            owner = find_owner(report.thread_id, [report.message_id]) if report else None
            if report and owner:
                matched += _assign_report(report, owner, now, on_delivery_failure)
    return matched


def lock_thread(thread_id: str) -> None:
    """Holds the thread until the transaction ends: matching of its mail and storing of its id exclude each other.

    Take it before any row lock. A second call in the same transaction does nothing.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("lock_thread outside of a transaction would hold nothing")
    digest = hashlib.blake2b(f"agentmail.thread:{thread_id}".encode(), digest_size=8).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest, signed=True)])


def _to_event(parsed: ParsedEvent, now: datetime) -> ProviderEvent:
    event = ProviderEvent(
        event_id=parsed.event_id,
        svix_id=parsed.svix_id,
        event_type=parsed.event_type,
        kind=parsed.kind,
        note=parsed.note,
        payload=parsed.payload,
        received_at=now,
        inbox_id=parsed.inbox_id,
        thread_id=parsed.thread_id,
        message_id=parsed.message_id,
    )
    if parsed.report is not None:
        event.report_kind = parsed.report.kind
        event.addresses = list(parsed.report.addresses)
        event.detail = parsed.report.detail
        event.is_transient = parsed.report.is_transient
        event.occurred_at = parsed.report.at
    return event


def _store_mail(event: ProviderEvent, mail: InboundMail, now: datetime, on_reply: OnReply) -> StoredEvent:
    lock_thread(mail.thread_id)
    owner = find_owner(mail.thread_id, list_ancestors(mail.in_reply_to, mail.references))
    if owner is None and not _is_our_inbox(mail.inbox_id):
        return _park(event)
    values = {name: value for name, value in vars(mail).items() if name not in ("to", "references", "attachments")}
    row = InboundEmail(
        **values,
        event=event,
        received_at=now,
        to=list(mail.to),
        references=list(mail.references),
        attachments=[asdict(attachment) for attachment in mail.attachments],
    )
    if not _MAILS.insert(row, on_conflict="DO NOTHING"):
        ProviderEvent.objects.filter(pk=event.pk).update(note="the message was stored under another event")
        return StoredEvent(event.event_id, StoredOutcome.DUPLICATE)
    if owner is None or not _assign_mail(row, owner, now, on_reply):
        return StoredEvent(event.event_id, StoredOutcome.WAITING, email_id=row.pk)
    return StoredEvent(event.event_id, StoredOutcome.MATCHED, owner, row.pk)


def _store_report(event: ProviderEvent, now: datetime, on_delivery_failure: OnDeliveryFailure) -> StoredEvent:
    lock_thread(event.thread_id)
    owner = find_owner(event.thread_id, [event.message_id])
    if owner is None and not _is_our_inbox(event.inbox_id):
        return _park(event)
    if owner is None or not _assign_report(event, owner, now, on_delivery_failure):
        return StoredEvent(event.event_id, StoredOutcome.WAITING)
    return StoredEvent(event.event_id, StoredOutcome.MATCHED, owner)


def _is_our_inbox(inbox_id: str) -> bool:
    """One AgentMail organization may hold inboxes that have nothing to do with us."""
    if inbox_id.lower() == settings.AGENTMAIL_INBOX_ID.lower():
        return True
    return OutboundEmail.objects.filter(inbox_id=inbox_id).exists()


def _park(event: ProviderEvent) -> StoredEvent:
    note = "an inbox that Offload does not write from"
    ProviderEvent.objects.filter(pk=event.pk).update(kind=EventKind.IGNORED, note=note)
    return StoredEvent(event.event_id, StoredOutcome.KEPT)


def _assign_mail(mail: InboundEmail, owner: UUID, now: datetime, on_reply: OnReply) -> bool:
    reply = MatchedReply(
        owner=owner,
        email_id=mail.pk,
        inbox_id=mail.inbox_id,
        message_id=mail.message_id,
        thread_id=mail.thread_id,
        variant=Variant(mail.variant),
        automatic=AutomaticKind(mail.automatic),
        from_address=mail.from_address,
        attachments=tuple(AttachmentInfo(**attachment) for attachment in mail.attachments),
        received_at=mail.received_at,
    )

    def assign() -> None:
        mail.owner, mail.matched_at = owner, now
        _MAILS.update(mail, ("owner", "matched_at"))
        if reply.variant not in HIDDEN:
            on_reply(reply)

    return _run_hook(assign, f"received mail {mail.pk}")


def _assign_report(event: ProviderEvent, owner: UUID, now: datetime, on_delivery_failure: OnDeliveryFailure) -> bool:
    mails = OutboundEmail.objects.filter(owner=owner)
    reported = mails.filter(message_id__in=message_id_forms([event.message_id]))
    is_exact = reported.exists()
    to_addresses = {mail.to_address.lower() for mail in (reported if is_exact else mails).only("to_address")}
    named = set(event.addresses)
    failed = sorted(to_addresses & named if named else to_addresses)

    def assign() -> None:
        ProviderEvent.objects.filter(pk=event.pk).update(owner=owner, matched_at=now)
        # The provider goes on trying after a transient bounce. And somebody else's mail may share the thread.
        if event.is_transient or not (failed or is_exact):
            return
        on_delivery_failure(
            MatchedFailure(
                owner=owner,
                event_id=event.event_id,
                kind=ReportKind(event.report_kind),
                addresses=tuple(failed or event.addresses),
                detail=event.detail,
                at=event.occurred_at or event.received_at,
                received_at=event.received_at,
            )
        )
        # After the hook, so that everybody locks the owner's rows before an address.
        # A bounce may name an address that ours forwards to; then ours is the one that is dead to us.
        for address in failed or sorted(to_addresses):
            suppress(address, event.report_kind, event.detail, now)

    return _run_hook(assign, f"event {event.event_id}")


def _run_hook(assign: Callable[[], None], what: str) -> bool:
    """Returns whether it went through. A fault of the hook undoes the assignment alone; the next pass tries again."""
    try:
        with transaction.atomic():
            assign()
    except (DatabaseError, InterfaceError):
        raise
    except Exception:
        logger.exception("%s could not be handed over; it waits", what)
        return False
    return True


def _promising_mails(since: datetime) -> Iterator[tuple[UUID, str]]:
    waiting = InboundEmail.objects.filter(owner__isnull=True, received_at__gte=since).order_by(
        "received_at", "message_id"
    )
    for batch in _batches(list(waiting.values_list("pk", flat=True))):
        rows = list(waiting.filter(pk__in=batch).values_list("pk", "thread_id", "in_reply_to", "references"))
        messages = [(thread_id, list_ancestors(parent, references)) for _, thread_id, parent, references in rows]
        for row, is_promising in zip(rows, keep_promising(messages), strict=True):
            if is_promising:
                yield row[0], row[1]


def _promising_reports(since: datetime) -> Iterator[tuple[UUID, str]]:
    waiting = ProviderEvent.objects.filter(kind=EventKind.REPORT, owner__isnull=True, received_at__gte=since)
    for batch in _batches(list(waiting.order_by("received_at", "event_id").values_list("pk", flat=True))):
        rows = list(waiting.filter(pk__in=batch).values_list("pk", "thread_id", "message_id"))
        messages = [(thread_id, [message_id]) for _, thread_id, message_id in rows]
        for row, is_promising in zip(rows, keep_promising(messages), strict=True):
            if is_promising:
                yield row[0], row[1]


def _batches(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
