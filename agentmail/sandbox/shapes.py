"""The provider's JSON objects, made from rows; every field that the contract calls always present is there.

Must not decide anything: what a caller may see is for the views.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from agentmail.sandbox.jsontext import JSONObject
from agentmail.sandbox.models import Attachment, Direction, Draft, Inbox, Message, Thread, Webhook
from agentmail.sandbox.wording import make_preview

POD_ID = "5a4d0b0c-5a4d-4b0c-8a4d-5a4d0b0c5a4d"
ORGANIZATION_ID = "org_sandbox"


def iso(moment: datetime) -> str:
    """Returns ISO 8601 in UTC with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def inbox_json(inbox: Inbox) -> JSONObject:
    """Returns the provider's Inbox."""
    shape: JSONObject = {
        "pod_id": POD_ID,
        "inbox_id": inbox.inbox_id,
        "email": inbox.inbox_id,
        "updated_at": iso(inbox.updated_at),
        "created_at": iso(inbox.created_at),
    }
    return shape | _present(display_name=inbox.display_name, client_id=inbox.client_id, metadata=inbox.metadata)


def attachment_json(attachment: Attachment) -> JSONObject:
    """Returns the provider's Attachment: metadata, never content."""
    shape: JSONObject = {"attachment_id": str(attachment.attachment_id), "size": attachment.size}
    return shape | _present(
        filename=attachment.filename,
        content_type=attachment.content_type,
        content_disposition=attachment.content_disposition,
        content_id=attachment.content_id,
    )


def message_item_json(message: Message) -> JSONObject:
    """Returns the provider's MessageItem, as lists have it: no bodies, no `reply_to`."""
    shape: JSONObject = {
        "inbox_id": message.inbox.inbox_id,
        "thread_id": str(message.thread.thread_id),
        "message_id": message.message_id,
        "labels": message.labels,
        "timestamp": iso(message.timestamp),
        "from": message.from_header,
        "to": message.to,
        "size": message.size,
        "updated_at": iso(message.updated_at),
        "created_at": iso(message.timestamp),
    }
    return shape | _present(
        cc=message.cc,
        bcc=message.bcc,
        subject=message.subject,
        # HTML-only mail has no preview.
        preview=make_preview(message.text) if message.text else None,
        attachments=[attachment_json(attachment) for attachment in message.attachments.all()],
        in_reply_to=message.in_reply_to,
        references=message.references,
        headers=message.headers,
        authentication_results=message.authentication_results,
    )


def message_json(message: Message) -> JSONObject:
    """Returns the provider's Message, bodies included."""
    return message_item_json(message) | _present(
        reply_to=message.reply_to,
        text=message.text,
        html=message.html,
        extracted_text=message.extracted_text,
        extracted_html=message.html if message.direction == Direction.INBOUND else None,
    )


def draft_json(draft: Draft) -> JSONObject:
    """Returns the provider's Draft, bodies included; a reply names its original and what that referred to."""
    shape: JSONObject = {
        "inbox_id": draft.inbox.inbox_id,
        "draft_id": str(draft.draft_id),
        "labels": draft.labels,
        "updated_at": iso(draft.updated_at),
        "created_at": iso(draft.created_at),
    }
    original = draft.original
    files = [{name: value for name, value in file.items() if name != "content"} for file in draft.attachments]
    return shape | _present(
        client_id=draft.client_id,
        reply_to=draft.reply_to,
        to=draft.to,
        cc=draft.cc,
        bcc=draft.bcc,
        subject=draft.subject,
        preview=make_preview(draft.text) if draft.text else None,
        text=draft.text,
        html=draft.html,
        attachments=[_present(**file) for file in files],
        in_reply_to=original and original.message_id,
        references=original and [*original.references, original.message_id],
    )


def thread_item_json(thread: Thread, messages: Sequence[Message]) -> JSONObject:
    """Returns the provider's ThreadItem; `messages` are all of the thread's, oldest first, at least one."""
    last = messages[-1]
    shape: JSONObject = {
        "inbox_id": thread.inbox.inbox_id,
        "thread_id": str(thread.thread_id),
        "labels": sorted({label for message in messages for label in message.labels}),
        "timestamp": iso(last.timestamp),
        "senders": _unique([message.from_header for message in messages]),
        "recipients": _unique([address for message in messages for address in message.to]),
        "last_message_id": last.message_id,
        "message_count": len(messages),
        "size": sum(message.size for message in messages),
        "updated_at": iso(max(message.updated_at for message in messages)),
        "created_at": iso(thread.created_at),
    }
    return shape | _present(
        received_timestamp=_last_timestamp(messages, Direction.INBOUND),
        sent_timestamp=_last_timestamp(messages, Direction.OUTBOUND),
        subject=thread.subject,
        preview=make_preview(last.text) if last.text else None,
        attachments=[attachment_json(file) for message in messages for file in message.attachments.all()],
    )


def webhook_json(webhook: Webhook) -> JSONObject:
    """Returns the provider's Webhook; its static headers are write-only and stay out."""
    shape: JSONObject = {
        "webhook_id": webhook.webhook_id,
        "url": webhook.url,
        "secret": webhook.secret,
        "enabled": webhook.enabled,
        "event_types": webhook.event_types,
        "updated_at": iso(webhook.updated_at),
        "created_at": iso(webhook.created_at),
    }
    return shape | _present(inbox_ids=webhook.inbox_ids, pod_ids=webhook.pod_ids, client_id=webhook.client_id)


def _present(**fields: object) -> JSONObject:
    # Optional fields are absent rather than null or empty; an empty text body is a body.
    return {
        name: value
        for name, value in fields.items()
        if value is not None and value != [] and value != {} and (value != "" or name == "text")
    }


def _unique(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _last_timestamp(messages: Sequence[Message], direction: Direction) -> str | None:
    moments = [message.timestamp for message in messages if message.direction == direction]
    return iso(moments[-1]) if moments else None
