"""The mailbox in the browser, where a person plays the counterparty; must not do what the control API cannot."""

import base64
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Page, Paginator
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import strip_tags
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_POST, require_safe

from agentmail.sandbox.addresses import bare_address, display_name
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
from agentmail.sandbox.readymade import ReadyMadeKind, compose_reply
from agentmail.sandbox.wording import make_preview, reply_subject

THREADS_PER_PAGE = 50
# What a redirect may say, by its code: a page never shows text that came with its address.
NOTICES = {
    "replied": "Your reply is on its way. Offload hears of it in a moment.",
    "away": "The automatic reply is on its way. Offload must not take it for an answer.",
    "bounced": "The last mail has bounced. Offload must not write to this address again.",
    "complained": "The last mail was reported as spam. Offload must not write to this address again.",
}
READY_MADE_LABELS = {
    ReadyMadeKind.ANSWER: "Complete answer with a file",
    ReadyMadeKind.QUESTION: "Ask something back",
    ReadyMadeKind.REFUSAL: "Refuse",
    ReadyMadeKind.AWAY: "Out of office",
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
def list_threads(request: HttpRequest) -> HttpResponse:
    """GET /sandbox/: all conversations, newest first, 50 a page."""
    threads = Thread.objects.select_related("inbox").order_by("-last_message_at", "-id")
    page: Page[Thread] = Paginator(threads, THREADS_PER_PAGE).get_page(request.GET.get("page"))
    messages = messages_by_thread(list(page))
    rows = [_make_row(thread, messages[thread.pk]) for thread in page]
    context = {"rows": rows, "page": page, "latest": _latest_id(None), "api_url": _api_url()}
    return render(request, "sandbox/mailbox.html", context)


@require_safe
@csrf_protect
def show_thread(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """GET /sandbox/threads/{id}/: the conversation and what the counterparty can do."""
    return _render_thread(request, _find_thread(thread_id), ReplyForm(), 200)


@require_POST
@csrf_protect
def reply(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """POST: sends the form's text and files as the counterparty and goes back to the thread."""
    thread = _find_thread(thread_id)
    form = ReplyForm(request.POST, request.FILES)
    if form.is_valid():
        fields = {
            "text": form.cleaned_data["text"],
            "attachments": [_read_upload(file) for file in form.cleaned_data["attachments"]],
        }
        try:
            return _receive(thread, fields, "replied")
        except BadBodyError as fault:
            form.add_error(None, str(fault))
    return _render_thread(request, thread, form, 422)


@require_POST
@csrf_protect
def reply_ready_made(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """POST `kind`: sends one of the ready-made replies and goes back to the thread."""
    thread = _find_thread(thread_id)
    try:
        kind = ReadyMadeKind(request.POST.get("kind", ""))
    except ValueError:
        raise Http404("There is no such ready-made reply.") from None
    messages = thread_messages(thread)
    asked = find_last_sent(messages)
    ready = compose_reply(
        kind,
        asked=(asked.text if asked is not None else None) or "",
        subject=thread.subject,
        name=display_name(find_counterparty(messages)),
        today=read_moment().real.date(),
    )
    fields: JSONObject = {"text": ready.text, "headers": ready.headers}
    if ready.subject is not None:
        fields["subject"] = ready.subject
    fields["attachments"] = [
        {"filename": file.filename, "content_type": file.content_type, "content": _encode(file.content)}
        for file in ready.files
    ]
    return _receive(thread, fields, "away" if kind is ReadyMadeKind.AWAY else "replied")


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
        return _redirect(thread, "bounced")
    report_complaint(last.message_id, "abuse", "spam", read_moment())
    return _redirect(thread, "complained")


@require_GET
def pulse(request: HttpRequest) -> HttpResponse:
    """GET: the id of the newest message, of one thread or of all; tells an open page that it is out of date."""
    thread_id = request.GET.get("thread")
    try:
        thread = _find_thread(uuid.UUID(thread_id)) if thread_id else None
    except ValueError:
        raise Http404("There is no such thread.") from None
    return JsonResponse({"latest": _latest_id(thread)})


def _render_thread(request: HttpRequest, thread: Thread, form: ReplyForm, status: int) -> HttpResponse:
    messages = thread_messages(thread)
    context = {
        "thread": thread,
        "shown": [_show(request, message) for message in messages],
        "form": form,
        "counterparty": find_counterparty(messages),
        "reply_subject": reply_subject(thread.subject),
        "ready_made": READY_MADE_LABELS.items(),
        "can_fail": any(message.direction == Direction.OUTBOUND for message in messages),
        "notice": NOTICES.get(request.GET.get("notice", "")),
        "latest": _latest_id(thread),
    }
    return render(request, "sandbox/thread.html", context, status=status)


def _receive(thread: Thread, fields: JSONObject, notice: str) -> HttpResponse:
    body = check_object({"thread_id": str(thread.thread_id)} | fields, InboundBody)
    receive_inbound(body, read_moment())
    return _redirect(thread, notice)


def _redirect(thread: Thread, notice: str) -> HttpResponse:
    response = HttpResponseRedirect(f"{reverse('sandbox:thread', args=[thread.thread_id])}?notice={notice}#latest")
    # 303: the browser goes on with GET, and reloading the page sends nothing again.
    response.status_code = 303
    return response


def _find_thread(thread_id: uuid.UUID) -> Thread:
    thread = Thread.objects.select_related("inbox").filter(thread_id=thread_id).first()
    if thread is None:
        raise Http404("There is no such thread.")
    return thread


def _latest_id(thread: Thread | None) -> int:
    messages = Message.objects.all() if thread is None else Message.objects.filter(thread=thread)
    latest: int | None = messages.aggregate(latest=Max("id"))["latest"]
    return latest or 0


def _api_url() -> str:
    # The web process serves the API and the webhook alike.
    parts = urlsplit(settings.OFFLOAD_SANDBOX_WEBHOOK_URL)
    return f"{parts.scheme}://{parts.netloc}"


def _make_row(thread: Thread, messages: list[Message]) -> ThreadRow:
    last = messages[-1]
    return ThreadRow(
        thread=thread,
        who=display_name(find_counterparty(messages)),
        snippet=make_preview(_readable_text(last)),
        count=len(messages),
        last=last,
        waits_for_reply=last.direction == Direction.OUTBOUND and not last.failure,
        failure=next((message.failure for message in reversed(messages) if message.failure), ""),
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
