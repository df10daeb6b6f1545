"""The provider's calls on threads: one inbox's or the whole organization's; must not change anything."""

from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.http import HttpResponse, JsonResponse

from agentmail.sandbox.mail import messages_by_thread, thread_messages
from agentmail.sandbox.models import Message, Thread
from agentmail.sandbox.provider.call import Call
from agentmail.sandbox.provider.lookup import find_inbox, find_thread
from agentmail.sandbox.provider.messages import hidden_labels
from agentmail.sandbox.provider.paging import make_envelope, read_page_token
from agentmail.sandbox.provider.playing import play_read_fault
from agentmail.sandbox.shapes import message_json, thread_item_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def get_thread(call: Call, inbox_id: str | None, thread_id: str) -> HttpResponse:
    """GET /threads/{thread} and /inboxes/{inbox}/threads/{thread}.

    The first page has the newest messages, ascending inside the page; the token leads to older ones. Labels hide
    nothing here.
    """
    thread = find_thread(thread_id, inbox_id)
    if played := play_read_fault(call.request):
        return played
    messages = thread_messages(thread)
    key, limit = read_page_token(call, 1), call.limit()
    older = [message for message in messages if key is None or message.pk < key[0]]
    page = older[-limit:]
    envelope = make_envelope(len(page), limit, (page[0].pk,) if len(older) > limit else None)
    body = thread_item_json(thread, messages) | envelope
    return JsonResponse(body | {"messages": [message_json(message) for message in page]})


def list_threads(call: Call, inbox_id: str | None) -> HttpResponse:
    """GET /threads and /inboxes/{inbox}/threads: newest first.

    One message with a hidden label hides its whole thread, as with the provider.
    """
    threads = Thread.objects.select_related("inbox")
    if inbox_id is not None:
        threads = threads.filter(inbox=find_inbox(inbox_id))
    labels = [label.lower() for label in call.texts("labels")]
    if labels:
        threads = threads.filter(messages__in=Message.objects.filter(labels__contains=labels)).distinct()
    hidden = Message.objects.filter(labels__overlap=hidden_labels(call))
    threads = threads.exclude(id__in=hidden.values("thread_id"))
    key, limit = read_page_token(call, 2), call.limit()
    if key is not None:
        moment = _EPOCH + key[0] * _MICROSECOND
        threads = threads.filter(Q(last_message_at__lt=moment) | Q(last_message_at=moment, id__lt=key[1]))
    found = list(threads.order_by("-last_message_at", "-id")[: limit + 1])
    page = found[:limit]
    next_key = ((page[-1].last_message_at - _EPOCH) // _MICROSECOND, page[-1].pk) if len(found) > limit else None
    messages = messages_by_thread(page)
    items = [thread_item_json(thread, messages[thread.pk]) for thread in page]
    return JsonResponse(make_envelope(len(page), limit, next_key) | {"threads": items})
