"""Finds the rows that a call's path names; answers with the provider's 404 where there is none."""

import uuid

from agentmail.sandbox.mail import files_without_content
from agentmail.sandbox.models import Attachment, Draft, Inbox, Message, Thread
from agentmail.sandbox.provider.errors import not_found


def find_inbox(inbox_id: str) -> Inbox:
    """Returns the inbox; raises the 404."""
    inbox = Inbox.objects.filter(inbox_id=inbox_id).first()
    if inbox is None:
        raise not_found("Inbox")
    return inbox


def find_message(inbox_id: str, message_id: str) -> Message:
    """Returns the message of that inbox, its files' contents left out; raises the 404."""
    message = (
        Message.objects.filter(inbox=find_inbox(inbox_id), message_id=message_id)
        .select_related("inbox", "thread__inbox")
        .prefetch_related(files_without_content())
        .first()
    )
    if message is None:
        raise not_found("Message")
    return message


def find_thread(thread_id: str, inbox_id: str | None) -> Thread:
    """Returns the thread, of that inbox unless it is None; raises the 404."""
    threads = Thread.objects.select_related("inbox").filter(thread_id=_read_uuid(thread_id, "Thread"))
    if inbox_id is not None:
        threads = threads.filter(inbox=find_inbox(inbox_id))
    thread = threads.first()
    if thread is None:
        raise not_found("Thread")
    return thread


def find_draft(inbox_id: str, draft_id: str, *, for_update: bool = False) -> Draft:
    """Returns the draft of that inbox with the message it answers; `for_update` locks it. Raises the 404."""
    drafts = Draft.objects.select_related("inbox", "original__inbox", "original__thread__inbox")
    if for_update:
        drafts = drafts.select_for_update(of=("self",))
    draft = drafts.filter(inbox=find_inbox(inbox_id), draft_id=_read_uuid(draft_id, "Draft")).first()
    if draft is None:
        raise not_found("Draft")
    return draft


def find_message_file(message: Message, attachment_id: str) -> Attachment:
    """Returns the message's file without its content; raises the 404."""
    attachment = (
        Attachment.objects.filter(message=message, attachment_id=_read_uuid(attachment_id, "Attachment"))
        .defer("content")
        .first()
    )
    if attachment is None:
        raise not_found("Attachment")
    return attachment


def find_thread_file(thread: Thread, attachment_id: str) -> Attachment:
    """Returns the file of any message of the thread, without its content; raises the 404."""
    attachment = (
        Attachment.objects.filter(message__thread=thread, attachment_id=_read_uuid(attachment_id, "Attachment"))
        .defer("content")
        .first()
    )
    if attachment is None:
        raise not_found("Attachment")
    return attachment


def _read_uuid(value: str, what: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError:
        raise not_found(what) from None
