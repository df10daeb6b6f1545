"""The provider's send, reply and reply-all: checks, idempotency, faults; storing the mail is for `mail.py`.

`send_once` is the way of every mail out of an inbox, a draft's too.
"""

from collections.abc import Callable, Sequence

from django.db import transaction
from django.http import HttpResponse, JsonResponse

from agentmail.sandbox.addresses import bare_address
from agentmail.sandbox.bodies import AttachmentBody, OutgoingBody, ReplyBody, SendBody
from agentmail.sandbox.faults import ACCEPTING_SEND_FAULTS, FaultOrder, take_fault
from agentmail.sandbox.idempotency import (
    KeyInFlightError,
    KeyReusedError,
    SentIds,
    find_answer,
    is_valid_key,
    make_fingerprint,
    record_answer,
)
from agentmail.sandbox.mail import NewFile, NewMail, find_blocked, send_mail, start_thread
from agentmail.sandbox.models import Direction, Inbox, Message, Thread
from agentmail.sandbox.provider.call import Call
from agentmail.sandbox.provider.errors import (
    ProviderError,
    key_in_flight,
    key_reused,
    message_rejected,
    parameter_error,
)
from agentmail.sandbox.provider.lookup import find_inbox, find_message
from agentmail.sandbox.provider.playing import (
    close_unanswered,
    make_refusal,
    play_refusal,
    stay_silent,
    waiting_seconds,
)
from agentmail.sandbox.wording import reply_subject

MAX_RECIPIENTS = 50

Composed = tuple[NewMail, Thread | None]


def send_message(call: Call, inbox_id: str) -> HttpResponse:
    """POST /inboxes/{inbox}/messages/send: a mail in a thread of its own."""
    inbox = find_inbox(inbox_id)
    body = call.read_body(SendBody)
    mail = NewMail(
        to=body.to,
        cc=body.cc,
        bcc=body.bcc,
        reply_to=body.reply_to,
        subject=body.subject or "",
        text=body.text,
        html=body.html,
        labels=body.labels,
        headers=body.headers,
        files=read_files(body.attachments),
    )
    return send_once(call, inbox, lambda: (mail, None))


def reply_to_message(call: Call, inbox_id: str, message_id: str) -> HttpResponse:
    """POST …/messages/{id}/reply: to the original's sender unless recipients are named."""
    original = find_message(inbox_id, message_id)
    body = call.read_body(ReplyBody)
    if body.reply_all:
        mail = _make_reply_all(original, body)
    else:
        mail = _make_reply(original, body, body.to or default_recipients(original), body.cc)
    return send_once(call, original.inbox, lambda: (mail, original.thread))


def reply_all_to_message(call: Call, inbox_id: str, message_id: str) -> HttpResponse:
    """POST …/messages/{id}/reply-all: to everybody who took part in the original."""
    original = find_message(inbox_id, message_id)
    body = call.read_body(OutgoingBody)
    mail = _make_reply_all(original, body)
    return send_once(call, original.inbox, lambda: (mail, original.thread))


def send_once(call: Call, inbox: Inbox, compose: Callable[[], Composed]) -> HttpResponse:
    """Sends a mail unless the call's Idempotency-Key has sent it before, and plays a waiting send fault.

    `compose` returns the mail and its thread, None for one of its own. It runs in the transaction that sends, and not
    at all for a repeated key. Returns the two ids, the same ones for a repeat; raises ProviderError.
    """
    key = call.request.headers.get("Idempotency-Key")
    if key is not None and not is_valid_key(key):
        raise parameter_error("Idempotency-Key", "must be 1 to 256 characters of A-Z a-z 0-9 - . _ ~")
    fault = take_fault("send")
    if fault is not None and fault.kind not in ACCEPTING_SEND_FAULTS:
        return play_refusal(call.request, fault)
    sent = _accept(call, inbox, compose, key or "", fault)
    return _answer(call, sent, fault)


def default_recipients(original: Message) -> list[str]:
    """Returns who a reply goes to when it names nobody."""
    if original.direction == Direction.OUTBOUND:
        # The contract is silent about a reply to one's own mail; going on with the same people is the least odd.
        return original.to
    return original.reply_to or [original.from_header]


def read_files(attachments: Sequence[AttachmentBody]) -> list[NewFile]:
    """Returns the files to be stored; raises the provider's 403 for one that is given by its URL."""
    files: list[NewFile] = []
    for attachment in attachments:
        if attachment.content is None:
            raise message_rejected(
                "Message rejected: an attachment's URL could not be fetched",
                "The sandbox fetches nothing; send the file as Base64 in `content`.",
            )
        files.append(
            NewFile(
                content=attachment.content,
                filename=attachment.filename or "",
                content_type=attachment.content_type or "application/octet-stream",
                content_disposition=attachment.content_disposition or "attachment",
                content_id=attachment.content_id or "",
            )
        )
    return files


def check_recipient_count(to: Sequence[str], cc: Sequence[str], bcc: Sequence[str]) -> None:
    """Raises the provider's 400 for more than 50 recipients together."""
    count = len(to) + len(cc) + len(bcc)
    if count > MAX_RECIPIENTS:
        raise parameter_error("to", f"has {count} recipients together with cc and bcc; {MAX_RECIPIENTS} are allowed")


def _make_reply(original: Message, body: OutgoingBody, to: Sequence[str], cc: Sequence[str]) -> NewMail:
    return NewMail(
        to=to,
        cc=cc,
        bcc=body.bcc,
        reply_to=body.reply_to,
        subject=reply_subject(original.subject),
        text=body.text,
        html=body.html,
        labels=body.labels,
        headers=body.headers,
        in_reply_to=original.message_id,
        references=[*original.references, original.message_id],
        files=read_files(body.attachments),
    )


def _make_reply_all(original: Message, body: OutgoingBody) -> NewMail:
    to = default_recipients(original)
    taken = {bare_address(address) for address in [*to, original.inbox.inbox_id]}
    cc = [address for address in [*original.to, *original.cc] if bare_address(address) not in taken]
    return _make_reply(original, body, to, cc)


def _accept(call: Call, inbox: Inbox, compose: Callable[[], Composed], key: str, fault: FaultOrder | None) -> SentIds:
    fingerprint = make_fingerprint(call.segments, call.body)
    with transaction.atomic():
        try:
            answered = find_answer(key, fingerprint, call.at) if key else None
        except KeyInFlightError:
            raise key_in_flight() from None
        except KeyReusedError:
            raise key_reused() from None
        if answered is not None:
            return answered
        mail, thread = compose()
        _check_recipients(mail)
        message = send_mail(inbox, thread or start_thread(inbox, mail.subject, call.at), mail, key, call.at)
        if key:
            keeps_running = fault is not None and fault.kind in ("accept_then_hang", "slow")
            seconds = waiting_seconds(fault) if fault is not None and keeps_running else 0
            record_answer(key, fingerprint, message, call.at, seconds)
    return SentIds(message_id=message.message_id, thread_id=str(message.thread.thread_id))


def _answer(call: Call, sent: SentIds, fault: FaultOrder | None) -> HttpResponse:
    kind = "" if fault is None else fault.kind
    if kind == "accept_then_drop":
        return close_unanswered(call.request)
    if kind == "accept_then_500":
        raise make_refusal(FaultOrder("500"))
    if kind == "no_ids":
        return JsonResponse({})
    if fault is not None:
        stay_silent(call.request, fault)
    return JsonResponse({"message_id": sent.message_id, "thread_id": sent.thread_id})


def _check_recipients(mail: NewMail) -> None:
    recipients = [*mail.to, *mail.cc, *mail.bcc]
    if not recipients:
        raise ProviderError(422, "UnprocessableError", "unprocessable", "The mail has no recipients")
    check_recipient_count(mail.to, mail.cc, mail.bcc)
    blocked = find_blocked(recipients)
    if blocked is not None:
        raise message_rejected(
            f"Message rejected: {blocked} is on the send block list",
            "The address bounced or complained before. Such an entry can only be lifted by support; "
            "in the sandbox DELETE /sandbox/blocked lifts all of them.",
        )
