"""The provider's calls on stored messages: list, get, labels, raw; must not send anything."""

from collections.abc import Sequence

from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.functions import Concat
from django.http import HttpResponse, JsonResponse

from agentmail.sandbox.bodies import LabelsBody
from agentmail.sandbox.mail import HIDDEN_LABELS, files_without_content
from agentmail.sandbox.models import Message
from agentmail.sandbox.provider.call import Call
from agentmail.sandbox.provider.links import link_to_raw
from agentmail.sandbox.provider.lookup import find_inbox, find_message
from agentmail.sandbox.provider.paging import cut_page
from agentmail.sandbox.provider.playing import play_read_fault
from agentmail.sandbox.shapes import message_item_json, message_json


def list_messages(call: Call, inbox_id: str) -> HttpResponse:
    """GET /inboxes/{inbox}/messages: newest first, filtered, in pages; a list by label can meet a read fault."""
    inbox = find_inbox(inbox_id)
    labels = [label.lower() for label in call.texts("labels")]
    if labels and (played := play_read_fault(call.request)):
        return played
    messages = Message.objects.filter(inbox=inbox).exclude(labels__overlap=hidden_labels(call))
    if labels:
        messages = messages.filter(labels__contains=labels)
    messages = _filter_by_time(call, _filter_by_words(call, messages))
    rows = messages.select_related("inbox", "thread").prefetch_related(files_without_content())
    page = cut_page(call, rows, ascending=call.flag("ascending"))
    return JsonResponse(page.envelope | {"messages": [message_item_json(message) for message in page.rows]})


def get_message(_call: Call, inbox_id: str, message_id: str) -> HttpResponse:
    """GET …/messages/{id}: the whole message."""
    return JsonResponse(message_json(find_message(inbox_id, message_id)))


def update_message(call: Call, inbox_id: str, message_id: str) -> HttpResponse:
    """PATCH …/messages/{id}: adds and removes labels; a second call changes nothing more."""
    message = find_message(inbox_id, message_id)
    body = call.read_body(LabelsBody)
    message.labels = change_labels(message.labels, body.add_labels, body.remove_labels)
    message.updated_at = call.at.provider
    message.save(update_fields=["labels", "updated_at"])
    return JsonResponse({"message_id": message.message_id, "labels": message.labels})


def get_raw(call: Call, inbox_id: str, message_id: str) -> HttpResponse:
    """GET …/messages/{id}/raw: a short-lived link to the mail as RFC 5322 text."""
    message = find_message(inbox_id, message_id)
    link = link_to_raw(call.request, message, call.at)
    return JsonResponse({"message_id": message.message_id, "size": message.size} | link)


def change_labels(labels: Sequence[str], added: Sequence[str], removed: Sequence[str]) -> list[str]:
    """Returns the labels in the provider's lower case, without the removed ones and then with the added ones."""
    gone = {label.lower() for label in removed}
    kept = [label.lower() for label in labels if label.lower() not in gone]
    return list(dict.fromkeys([*kept, *(label.lower() for label in added)]))


def hidden_labels(call: Call) -> list[str]:
    """Returns the labels whose mail the call does not want to see."""
    return [label for label in HIDDEN_LABELS if not call.flag(f"include_{label}")]


def _filter_by_words(call: Call, messages: QuerySet[Message]) -> QuerySet[Message]:
    for word in call.request.GET.getlist("from"):
        messages = messages.filter(from_header__icontains=word)
    for word in call.request.GET.getlist("subject"):
        messages = messages.filter(subject__icontains=word)
    addressed = messages.annotate(recipients=Concat(*(_joined(field) for field in ("to", "cc", "bcc"))))
    for word in call.request.GET.getlist("to"):
        addressed = addressed.filter(recipients__icontains=word)
    return addressed


def _joined(field: str) -> Func:
    return Func(F(field), Value(", "), function="array_to_string", output_field=TextField())


def _filter_by_time(call: Call, messages: QuerySet[Message]) -> QuerySet[Message]:
    before, after = call.moment("before"), call.moment("after")
    if before is not None:
        messages = messages.filter(timestamp__lt=before)
    if after is not None:
        messages = messages.filter(timestamp__gt=after)
    return messages
