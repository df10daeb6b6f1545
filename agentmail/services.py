"""What the rest of the product may do with mail, in the database only; must not touch the network.

Everything runs in the caller's transaction. Matching of inbound mail lives in agentmail.matching and is offered here
too, so that callers import one module.
"""

import json
import logging
import re
import uuid
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from agentmail.cleaning import clean_line, clean_text
from agentmail.mailbox import Direction, StoredMail, list_mail
from agentmail.matching import (
    MatchedFailure,
    MatchedReply,
    StoredEvent,
    StoredOutcome,
    lock_thread,
    match_all_waiting,
    match_waiting,
    store_event,
    store_live_mail,
)
from agentmail.models import OutboundEmail
from agentmail.outcomes import (
    SETTLED,
    MailState,
    Misconfigured,
    NotNow,
    Refused,
    SendOutcome,
    Sent,
    Unknown,
    state_after,
    state_of_attempt,
)
from agentmail.rows import Rows
from agentmail.suppression import Closure, decline, find_closure, has_declined, is_suppressed, suppress

__all__ = [
    "Closure",
    "Direction",
    "MatchedFailure",
    "MatchedReply",
    "StoredEvent",
    "StoredMail",
    "StoredOutcome",
    "abandon_mail",
    "adopt_mail",
    "begin_attempt",
    "decline",
    "find_closure",
    "find_frozen_mail",
    "freeze_mail",
    "has_declined",
    "is_known_absent",
    "is_known_unsent",
    "is_suppressed",
    "list_mail",
    "lock_thread",
    "match_all_waiting",
    "match_waiting",
    "may_repeat",
    "record_lookup_miss",
    "settle_attempt",
    "store_event",
    "store_live_mail",
    "suppress",
]

logger = logging.getLogger(__name__)

# AgentMail forgets an idempotency key 24 h after the send completed; afterwards the same key would send again.
REPEAT_LIMIT = timedelta(hours=20)

# AgentMail's lists may lag behind its sends by a time nobody documents.
ABSENCE_TIME = timedelta(seconds=60)
ABSENCE_MISSES = 3

_ERROR_CHARS = 2000

_MAILS = Rows(OutboundEmail)
# All that an attempt or its end may change of a mail; the request itself never does.
_CHANGING = (
    "state",
    "attempts",
    "first_attempt_at",
    "last_attempt_at",
    "looked_up_at",
    "lookup_misses",
    "message_id",
    "thread_id",
    "last_error",
    "sent_at",
)


def freeze_mail(
    *,
    reference: str,
    owner: UUID,
    inbox_id: str,
    to_address: str,
    to_name: str,
    subject: str,
    text: str,
    reply_to_message_id: str,
    now: datetime,
) -> OutboundEmail:
    """Returns the one mail of this reference, its request final. A second call returns the first mail unchanged.

    `reply_to_message_id` "" opens a new thread, and then the subject goes out; a reply keeps the thread's. Control
    characters leave the subject and the name. Raises ValueError when there is no inbox or recipient.
    """
    if not (inbox_id and to_address):
        raise ValueError("a mail needs inbox_id (setting AGENTMAIL_INBOX_ID) and to_address")
    mail_id = uuid.uuid4()
    label = f"offload-{mail_id}"
    subject, text = clean_line(subject), clean_text(text)
    request: dict[str, Any] = {
        # Also in a reply: without it, one to a mail of our own would go to whoever the provider takes for its sender.
        "to": [_format_address(clean_line(to_name), to_address)],
        "text": text,
        "labels": [label],
        # RFC 3834: keeps autoresponders, another installation's among them, from answering.
        "headers": {"Auto-Submitted": "auto-generated"},
    }
    if not reply_to_message_id:
        request["subject"] = subject
    mail = OutboundEmail(
        id=mail_id,
        owner=owner,
        reference=reference,
        inbox_id=inbox_id,
        to_address=to_address,
        subject=subject,
        text=text,
        reply_to_message_id=reply_to_message_id,
        payload=json.dumps(request, ensure_ascii=False, separators=(",", ":")),
        idempotency_key=f"offload.{_install_id()}.{mail_id}",
        label=label,
        frozen_at=now,
    )
    if _MAILS.insert(mail, on_conflict="DO NOTHING"):
        return mail
    return OutboundEmail.objects.get(reference=reference)


def find_frozen_mail(reference: str) -> OutboundEmail | None:
    """Returns the mail that was frozen for the reference, whatever its state, or None."""
    return _MAILS.find_first("reference = %(reference)s", {"reference": reference})


def is_known_unsent(mail: OutboundEmail) -> bool:
    """Returns whether the mail has surely not gone out."""
    return mail.state in (MailState.FROZEN, MailState.REFUSED)


def may_repeat(mail: OutboundEmail, now: datetime) -> bool:
    """Returns whether the identical request may be made: not settled, and within 20 h of the first that may count.

    After that the key may have expired at the provider and a repeat could be a second mail: look up by label.
    """
    if mail.state in SETTLED:
        return False
    return mail.first_attempt_at is None or now - mail.first_attempt_at < REPEAT_LIMIT


def is_known_absent(mail: OutboundEmail, now: datetime) -> bool:
    """Returns whether look-ups since the last attempt found nothing at least 3 times over at least 60 s."""
    return (
        mail.looked_up_at is not None
        and mail.lookup_misses >= ABSENCE_MISSES
        and now - mail.looked_up_at >= ABSENCE_TIME
    )


def begin_attempt(mail_id: UUID, now: datetime) -> OutboundEmail:
    """Returns the mail with one more attempt begun; commit before calling the provider.

    An attempt that never ended makes the mail `unknown`. A settled mail is returned unchanged: do not send it.
    """
    mail = _lock(mail_id)
    if mail.state in SETTLED:
        return mail
    mail.state = state_of_attempt(MailState(mail.state))
    mail.attempts += 1
    mail.first_attempt_at = mail.first_attempt_at or now
    mail.last_attempt_at = now
    mail.looked_up_at, mail.lookup_misses = None, 0
    _MAILS.update(mail, _CHANGING)
    return mail


def settle_attempt(mail_id: UUID, outcome: SendOutcome, now: datetime) -> OutboundEmail:
    """Returns the mail after its attempt ended so. A settled mail keeps its state, whatever comes later.

    `not now` and `misconfigured` lead back to `frozen`, as if the attempt had not been, unless an attempt before it
    may have been accepted: then the mail stays `unknown`.
    """
    mail = _lock(mail_id)
    if mail.state in SETTLED:
        if isinstance(outcome, Sent):
            _keep_late_ids(mail, outcome.message_id, outcome.thread_id)
        return mail
    mail.state = state_after(MailState(mail.state), outcome)
    mail.last_error = clean_text(_describe(outcome))[:_ERROR_CHARS]
    if isinstance(outcome, Sent):
        mail.message_id, mail.thread_id, mail.sent_at = outcome.message_id, outcome.thread_id, now
    if mail.state == MailState.FROZEN:
        # The 20 hours of may_repeat count from an attempt that the provider may have accepted.
        mail.first_attempt_at = None
    _MAILS.update(mail, _CHANGING)
    return mail


def adopt_mail(mail_id: UUID, message_id: str, thread_id: str, now: datetime) -> OutboundEmail:
    """Returns the mail as sent, after its label was found at the provider. A second call changes nothing."""
    return settle_attempt(mail_id, Sent(message_id, thread_id), now)


def abandon_mail(mail_id: UUID, reason: str, now: datetime) -> OutboundEmail:
    """Returns the mail, given up at `now` for the reason unless it is settled. It is never attempted again."""
    mail = _lock(mail_id)
    if mail.state in SETTLED:
        return mail
    mail.state = MailState.ABANDONED
    mail.last_error = clean_text(f"abandoned {now:%Y-%m-%d %H:%M} UTC: {reason}")[:_ERROR_CHARS]
    _MAILS.update(mail, _CHANGING)
    return mail


def record_lookup_miss(mail_id: UUID, now: datetime) -> OutboundEmail:
    """Returns the mail with one more look-up by label that found nothing; see is_known_absent."""
    mail = _lock(mail_id)
    mail.looked_up_at = mail.looked_up_at or now
    mail.lookup_misses += 1
    _MAILS.update(mail, _CHANGING)
    return mail


def _lock(mail_id: UUID) -> OutboundEmail:
    mail = _MAILS.find_first("id = %(id)s", {"id": mail_id}, lock="FOR UPDATE")
    if mail is None:
        raise OutboundEmail.DoesNotExist(mail_id)
    return mail


def _keep_late_ids(mail: OutboundEmail, message_id: str, thread_id: str) -> None:
    """A mail that was given up and yet went out keeps its state, but an answer to it must find its owner."""
    if mail.state != MailState.ABANDONED or mail.message_id:
        return
    logger.error("mail %s was given up but has been sent", mail.pk)
    mail.message_id, mail.thread_id = message_id, thread_id
    _MAILS.update(mail, _CHANGING)


def _describe(outcome: SendOutcome) -> str:
    match outcome:
        case Sent():
            return ""
        case Refused(code, reason):
            return f"refused ({code}): {reason}"
        case NotNow(reason):
            return f"not sent yet: {reason}"
        case Misconfigured(reason):
            return f"not sent, configuration: {reason}"
        case Unknown(reason):
            return f"unknown whether sent: {reason}"


def _install_id() -> str:
    # A malformed key is refused by the provider, and with it every mail.
    return re.sub(r"[^A-Za-z0-9._~-]", "-", settings.OFFLOAD_INSTALL_ID)[:100]


def _format_address(name: str, address: str) -> str:
    """RFC 5322 wants a name with specials quoted; the provider takes UTF-8, so nothing is encoded."""
    if not name:
        return address
    if re.search(r'[\\"()<>\[\]:;@,.]', name):
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address}>'
    return f"{name} <{address}>"
