"""The mailbox in the browser, where a person plays the counterparty; must not do what the control API cannot."""

import base64
import uuid
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import strip_tags
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST, require_safe

from agentmail.sandbox.addresses import bare_address, display_name
from agentmail.sandbox.beside import Beside, Note
from agentmail.sandbox.bodies import InboundBody
from agentmail.sandbox.clock import read_moment
from agentmail.sandbox.counterparty import (
    find_counterparty,
    find_last_sent,
    receive_inbound,
    report_bounce,
    report_complaint,
)
from agentmail.sandbox.forms import ReplyForm
from agentmail.sandbox.jsontext import BadBodyError, JSONObject, check_object
from agentmail.sandbox.mail import messages_by_thread, thread_messages
from agentmail.sandbox.models import Direction, Message, Thread
from agentmail.sandbox.provider.links import link_to_attachment
from agentmail.sandbox.readymade import (
    AUTOMATIC_HEADERS,
    ReadyMadeKind,
    compose_reply,
    make_document,
    name_document,
)
from agentmail.sandbox.wording import make_preview, reply_subject

THREADS_PER_PAGE = 50
# What a redirect may say, by its code: a page never shows text that came with its address.
NOTICES = {
    "replied": "Your reply is on its way. Offload hears of it in a moment.",
    "away": "The automatic reply is on its way. Offload must not take it for an answer.",
    "bounced": "The last mail has bounced. Offload must not write to this address again.",
    "complained": "The last mail was reported as spam. Offload must not write to this address again.",
    "waited": "Time has passed for this case. What was due by now happens in a moment.",
    "ended": "The case has ended, so its time stands still.",
}
READY_MADE_LABELS = {
    ReadyMadeKind.ANSWER: "Complete answer",
    ReadyMadeKind.PARTIAL: "Half of the answer",
    ReadyMadeKind.FORGOTTEN_FILE: "\u201cAttached\u201d, but no file",
    ReadyMadeKind.QUESTION: "A question back",
    ReadyMadeKind.REFUSAL: "Refusal",
    ReadyMadeKind.AWAY: "Out of office",
    ReadyMadeKind.INJECTION: "Orders to the agent",
}


@dataclass(frozen=True)
class ThreadRow:
    """One line of the mailbox."""

    thread: Thread
    who: str
    snippet: str
    count: int
    last: Message
    waits_for_reply: bool
    failure: str
    note: Note | None


@dataclass(frozen=True)
class ShownFile:
    """One attachment as a link."""

    name: str
    size: int
    url: str


@dataclass(frozen=True)
class ShownMessage:
    """One message of the conversation; `is_yours` is the counterparty's side."""

    message: Message
    who: str
    address: str
    text: str
    is_yours: bool
    files: list[ShownFile]


@require_safe
@csrf_protect
def list_threads(request: HttpRequest, beside: Beside) -> HttpResponse:
    """GET /sandbox/: all conversations, newest first, 50 a page, and the forms that open a first case."""
    threads = Thread.objects.select_related("inbox").order_by("-last_message_at", "-id")
    page: Page[Thread] = Paginator(threads, THREADS_PER_PAGE).get_page(request.GET.get("page"))
    messages = messages_by_thread(list(page))
    notes = beside.note_threads([str(thread.thread_id) for thread in page])
    rows = [_make_row(thread, messages[thread.pk], notes.get(str(thread.thread_id))) for thread in page]
    return render(request, "sandbox/mailbox.html", {"rows": rows, "page": page, "start": beside.show_start(request)})


@require_safe
@csrf_protect
def show_thread(request: HttpRequest, thread_id: uuid.UUID, beside: Beside) -> HttpResponse:
    """GET /sandbox/threads/{id}/: the conversation, what the counterparty can do, and what the case does.

    With `?reply=` and one of the ready-made kinds its text stands in the form, to be changed or sent as it is.
    """
    thread = _find_thread(thread_id)
    messages = thread_messages(thread)
    return _render_thread(request, thread, messages, ReplyForm(initial=_read_draft(request, messages)), beside)


@require_POST
@csrf_protect
def reply(request: HttpRequest, thread_id: uuid.UUID, beside: Beside) -> HttpResponse:
    """POST: sends the form's text and files as the counterparty and goes back to the thread."""
    thread = _find_thread(thread_id)
    messages = thread_messages(thread)
    form = ReplyForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            body = check_object(_compose_body(thread, messages, form.cleaned_data), InboundBody)
            receive_inbound(body, read_moment())
        except BadBodyError as fault:
            form.add_error(None, str(fault))
        else:
            return redirect_to_thread(thread.thread_id, "away" if form.cleaned_data["is_automatic"] else "replied")
    return _render_thread(request, thread, messages, form, beside, status=422)


@require_POST
@csrf_protect
def report_failure(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """POST `kind` bounce or complaint: happens to the last mail of the thread; back to the thread."""
    thread = _find_thread(thread_id)
    last = find_last_sent(thread_messages(thread))
    kind = request.POST.get("kind")
    if last is None or kind not in ("bounce", "complaint"):
        raise Http404("There is no mail that this could happen to.")
    if kind == "bounce":
        report_bounce(last.message_id, "Permanent", "General", [], read_moment())
        return redirect_to_thread(thread.thread_id, "bounced")
    report_complaint(last.message_id, "abuse", "spam", read_moment())
    return redirect_to_thread(thread.thread_id, "complained")


def redirect_to_thread(thread_id: uuid.UUID | str, notice: str) -> HttpResponse:
    """Returns the way back to a thread's page, which then says what NOTICES has under this code."""
    response = HttpResponseRedirect(f"{reverse('sandbox:thread', args=[thread_id])}?notice={notice}#latest")
    # 303: the browser goes on with GET, and reloading the page sends nothing again.
    response.status_code = 303
    return response


def _render_thread(
    request: HttpRequest, thread: Thread, messages: list[Message], form: ReplyForm, beside: Beside, status: int = 200
) -> HttpResponse:
    context = {
        "thread": thread,
        "shown": [_show(request, message) for message in messages],
        "form": form,
        "counterparty": find_counterparty(messages),
        "reply_subject": reply_subject(thread.subject),
        "ready_made": READY_MADE_LABELS.items(),
        "chosen": request.GET.get("reply", ""),
        "document_name": name_document(_read_asked(messages)),
        "can_fail": find_last_sent(messages) is not None,
        "notice": NOTICES.get(request.GET.get("notice", "")),
        "case": beside.show_case(request, str(thread.thread_id)),
    }
    return render(request, "sandbox/thread.html", context, status=status)


def _read_asked(messages: list[Message]) -> str:
    # All of it: a later mail often names only what is still missing.
    return "\n".join(message.text or "" for message in messages if message.direction == Direction.OUTBOUND)


def _read_draft(request: HttpRequest, messages: list[Message]) -> dict[str, Any]:
    wanted = request.GET.get("reply", "")
    if wanted not in list(ReadyMadeKind):
        return {}
    name = display_name(find_counterparty(messages))
    today = read_moment().real.date()
    draft = compose_reply(ReadyMadeKind(wanted), asked=_read_asked(messages), name=name, today=today)
    return {"text": draft.text, "with_document": draft.has_document, "is_automatic": draft.is_automatic}


def _compose_body(thread: Thread, messages: list[Message], given: dict[str, Any]) -> JSONObject:
    text = given["text"]
    files = [_read_upload(file) for file in given["attachments"]]
    if given["with_document"]:
        made = make_document(_read_asked(messages), text)
        content = _encode(made.content)
        files.append({"filename": made.filename, "content_type": made.content_type, "content": content})
    body: JSONObject = {"thread_id": str(thread.thread_id), "text": text, "attachments": files}
    if given["is_automatic"]:
        body |= {"headers": AUTOMATIC_HEADERS, "subject": f"Automatic reply: {thread.subject}"}
    return body


def _find_thread(thread_id: uuid.UUID) -> Thread:
    thread = Thread.objects.select_related("inbox").filter(thread_id=thread_id).first()
    if thread is None:
        raise Http404("There is no such thread.")
    return thread


def _make_row(thread: Thread, messages: list[Message], note: Note | None) -> ThreadRow:
    last = messages[-1]
    return ThreadRow(
        thread=thread,
        who=display_name(find_counterparty(messages)),
        snippet=make_preview(_readable_text(last)),
        count=len(messages),
        last=last,
        waits_for_reply=last.direction == Direction.OUTBOUND and not last.failure,
        failure=next((message.failure for message in reversed(messages) if message.failure), ""),
        note=note,
    )


def _show(request: HttpRequest, message: Message) -> ShownMessage:
    at = read_moment()
    links = [link_to_attachment(request, attachment, at) for attachment in message.attachments.all()]
    return ShownMessage(
        message=message,
        who=display_name(message.from_header),
        address=bare_address(message.from_header),
        text=_readable_text(message),
        is_yours=message.direction == Direction.INBOUND,
        files=[
            ShownFile(name=link.get("filename", "attachment"), size=link["size"], url=link["download_url"])
            for link in links
        ],
    )


def _readable_text(message: Message) -> str:
    if message.text is not None:
        return message.text
    return strip_tags(message.html or "").strip()


def _read_upload(file: "UploadedFile[Any]") -> JSONObject:
    return {
        "filename": file.name or "file",
        "content_type": file.content_type or "application/octet-stream",
        "content": _encode(file.read()),
    }


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()
