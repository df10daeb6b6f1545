"""The provider's look-ups of attachments, by message or by thread; the files themselves come from `links.py`."""

from django.http import HttpResponse, JsonResponse

from agentmail.sandbox.models import Attachment
from agentmail.sandbox.provider.call import Call
from agentmail.sandbox.provider.links import link_to_attachment
from agentmail.sandbox.provider.lookup import find_message, find_message_file, find_thread, find_thread_file
from agentmail.sandbox.provider.playing import play_read_fault


def get_message_file(call: Call, inbox_id: str, message_id: str, attachment_id: str) -> HttpResponse:
    """GET …/messages/{id}/attachments/{id}."""
    return _answer(call, find_message_file(find_message(inbox_id, message_id), attachment_id))


def get_thread_file(call: Call, inbox_id: str | None, thread_id: str, attachment_id: str) -> HttpResponse:
    """GET /threads/{id}/attachments/{id} and the same under an inbox."""
    return _answer(call, find_thread_file(find_thread(thread_id, inbox_id), attachment_id))


def _answer(call: Call, attachment: Attachment) -> HttpResponse:
    return play_read_fault(call.request) or JsonResponse(link_to_attachment(call.request, attachment, call.at))
