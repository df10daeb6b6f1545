"""The provider's calls on drafts: create, list, get, delete, send; how a mail goes out is for `sending.py`."""

import base64
import uuid
from collections.abc import Sequence

from django.http import HttpResponse, JsonResponse

from agentmail.sandbox.bodies import DraftBody, LabelsBody
from agentmail.sandbox.jsontext import JSONObject
from agentmail.sandbox.mail import NewFile, NewMail
from agentmail.sandbox.models import Draft
from agentmail.sandbox.provider.call import Call
from agentmail.sandbox.provider.lookup import find_draft, find_inbox, find_message
from agentmail.sandbox.provider.messages import change_labels
from agentmail.sandbox.provider.paging import cut_page
from agentmail.sandbox.provider.sending import (
    Composed,
    check_recipient_count,
    default_recipients,
    read_files,
    send_once,
)
from agentmail.sandbox.shapes import draft_json
from agentmail.sandbox.wording import reply_subject


def create_draft(call: Call, inbox_id: str) -> HttpResponse:
    """POST /inboxes/{inbox}/drafts; the same `client_id` again answers with the draft it made before.

    What the provider does about a `client_id` whose draft was sent is not documented; here it makes another draft.
    """
    inbox = find_inbox(inbox_id)
    body = call.read_body(DraftBody)
    check_recipient_count(body.to, body.cc, body.bcc)
    fields = {
        "original": None if body.in_reply_to is None else find_message(inbox_id, body.in_reply_to),
        "labels": change_labels(body.labels, [], []),
        "to": body.to,
        "cc": body.cc,
        "bcc": body.bcc,
        "reply_to": body.reply_to,
        "subject": body.subject or "",
        "text": body.text,
        "html": body.html,
        "attachments": [_pack_file(file) for file in read_files(body.attachments)],
        "created_at": call.at.provider,
        "updated_at": call.at.provider,
    }
    if body.client_id is None:
        draft = Draft.objects.create(inbox=inbox, **fields)
    else:
        draft = Draft.objects.get_or_create(inbox=inbox, client_id=body.client_id, defaults=fields)[0]
    return JsonResponse(draft_json(draft))


def list_drafts(call: Call, inbox_id: str) -> HttpResponse:
    """GET /inboxes/{inbox}/drafts: newest first unless `ascending`, in pages."""
    drafts = Draft.objects.filter(inbox=find_inbox(inbox_id)).select_related("inbox", "original")
    page = cut_page(call, drafts, ascending=call.flag("ascending"))
    return JsonResponse(page.envelope | {"drafts": [draft_json(draft) for draft in page.rows]})


def get_draft(_call: Call, inbox_id: str, draft_id: str) -> HttpResponse:
    """GET …/drafts/{id}."""
    return JsonResponse(draft_json(find_draft(inbox_id, draft_id)))


def delete_draft(_call: Call, inbox_id: str, draft_id: str) -> HttpResponse:
    """DELETE …/drafts/{id}: nothing is sent; no body."""
    find_draft(inbox_id, draft_id).delete()
    return HttpResponse(status=204)


def send_draft(call: Call, inbox_id: str, draft_id: str) -> HttpResponse:
    """POST …/drafts/{id}/send: sends it and deletes it; a second call is a 404 unless its key repeats the first."""
    inbox = find_inbox(inbox_id)
    body = call.read_body(LabelsBody)

    def compose() -> Composed:
        # Locked, so that of two calls at once only one finds it.
        draft = find_draft(inbox_id, draft_id, for_update=True)
        mail = _make_mail(draft, change_labels(draft.labels, body.add_labels, body.remove_labels))
        draft.delete()
        return mail, None if draft.original is None else draft.original.thread

    return send_once(call, inbox, compose)


def _make_mail(draft: Draft, labels: Sequence[str]) -> NewMail:
    to, subject, in_reply_to, references = draft.to, draft.subject, "", list[str]()
    if draft.original is not None:
        to = to or default_recipients(draft.original)
        subject = subject or reply_subject(draft.original.subject)
        in_reply_to = draft.original.message_id
        references = [*draft.original.references, in_reply_to]
    return NewMail(
        to=to,
        cc=draft.cc,
        bcc=draft.bcc,
        reply_to=draft.reply_to,
        subject=subject,
        text=draft.text,
        html=draft.html,
        labels=labels,
        in_reply_to=in_reply_to,
        references=references,
        files=[_unpack_file(file) for file in draft.attachments],
    )


def _pack_file(file: NewFile) -> JSONObject:
    return {
        "attachment_id": str(uuid.uuid4()),
        "size": len(file.content),
        "filename": file.filename,
        "content_type": file.content_type,
        "content_disposition": file.content_disposition,
        "content_id": file.content_id,
        "content": base64.b64encode(file.content).decode(),
    }


def _unpack_file(packed: JSONObject) -> NewFile:
    return NewFile(
        content=base64.b64decode(packed["content"]),
        filename=packed["filename"],
        content_type=packed["content_type"],
        content_disposition=packed["content_disposition"],
        content_id=packed["content_id"],
    )
