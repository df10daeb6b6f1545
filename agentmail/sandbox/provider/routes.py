"""The one view of the provider's API: checks the key, finds the call in the table, answers errors as the provider."""

import hmac
import logging
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from agentmail.sandbox.clock import read_moment
from agentmail.sandbox.provider import drafts, files, inboxes, messages, sending, threads, webhooks
from agentmail.sandbox.provider.call import Call, read_body_bytes, read_segments
from agentmail.sandbox.provider.errors import ProviderError, not_found

logger = logging.getLogger(__name__)

Handler = Callable[[Call], HttpResponse]
ID = None


@csrf_exempt
def serve_provider(request: HttpRequest) -> HttpResponse:
    """Answers every path under `/v0/`; csrf_exempt because it takes a key in a header and no cookies."""
    try:
        check_key(request)
        segments = read_segments(request, "/agentmail/v0")
        call = Call(request=request, segments=segments, body=read_body_bytes(request), at=read_moment())
        return _find_handler(request.method or "", segments)(call)
    except ProviderError as error:
        return JsonResponse(error.body, status=error.status, headers=error.headers)
    except Exception:
        logger.exception("The sandbox failed to answer %s.", request.method)
        body = {"name": "InternalError", "code": "internal_error", "message": "Internal server error"}
        return JsonResponse(body, status=500)


def check_key(request: HttpRequest) -> None:
    """Raises the provider's 401 unless `Authorization: Bearer` carries AGENTMAIL_API_KEY; the scheme's case counts."""
    header = request.headers.get("Authorization", "")
    if not header.startswith("Bearer "):
        raise ProviderError(
            401,
            "UnauthorizedError",
            "missing_authorization",
            "The Authorization header is missing",
            fix="Send `Authorization: Bearer <key>`.",
        )
    key = header.removeprefix("Bearer ").strip()
    if not hmac.compare_digest(key.encode(), settings.AGENTMAIL_API_KEY.encode()):
        raise ProviderError(
            401,
            "UnauthorizedError",
            "unknown_api_key",
            "The API key is not known",
            fix="The sandbox takes the value of AGENTMAIL_API_KEY.",
        )


def _find_handler(method: str, segments: tuple[str, ...]) -> Handler:
    for route_method, pattern, handler in _ROUTES:
        if route_method == method and len(pattern) == len(segments):
            pairs = list(zip(pattern, segments, strict=True))
            if all(expected is ID or expected == segment for expected, segment in pairs):
                ids = [segment for expected, segment in pairs if expected is ID]
                return lambda call: handler(call, *ids)
    raise not_found("Route")


_Route = tuple[str, tuple[str | None, ...], Callable[..., HttpResponse]]
_ROUTES: list[_Route] = [
    ("GET", ("inboxes",), inboxes.list_inboxes),
    ("POST", ("inboxes",), inboxes.create_inbox),
    ("GET", ("inboxes", ID), inboxes.get_inbox),
    ("POST", ("inboxes", ID, "messages", "send"), sending.send_message),
    ("GET", ("inboxes", ID, "messages"), messages.list_messages),
    ("GET", ("inboxes", ID, "messages", ID), messages.get_message),
    ("PATCH", ("inboxes", ID, "messages", ID), messages.update_message),
    ("POST", ("inboxes", ID, "messages", ID, "reply"), sending.reply_to_message),
    ("POST", ("inboxes", ID, "messages", ID, "reply-all"), sending.reply_all_to_message),
    ("GET", ("inboxes", ID, "messages", ID, "raw"), messages.get_raw),
    ("GET", ("inboxes", ID, "messages", ID, "attachments", ID), files.get_message_file),
    ("GET", ("inboxes", ID, "drafts"), drafts.list_drafts),
    ("POST", ("inboxes", ID, "drafts"), drafts.create_draft),
    ("GET", ("inboxes", ID, "drafts", ID), drafts.get_draft),
    ("DELETE", ("inboxes", ID, "drafts", ID), drafts.delete_draft),
    ("POST", ("inboxes", ID, "drafts", ID, "send"), drafts.send_draft),
    ("GET", ("inboxes", ID, "threads"), threads.list_threads),
    ("GET", ("inboxes", ID, "threads", ID), threads.get_thread),
    ("GET", ("inboxes", ID, "threads", ID, "attachments", ID), files.get_thread_file),
    ("GET", ("threads",), lambda call: threads.list_threads(call, None)),
    ("GET", ("threads", ID), lambda call, thread: threads.get_thread(call, None, thread)),
    (
        "GET",
        ("threads", ID, "attachments", ID),
        lambda call, thread, attachment: files.get_thread_file(call, None, thread, attachment),
    ),
    ("GET", ("webhooks",), webhooks.list_webhooks),
    ("POST", ("webhooks",), webhooks.create_webhook),
    ("GET", ("webhooks", ID), webhooks.get_webhook),
    ("PATCH", ("webhooks", ID), webhooks.update_webhook),
    ("DELETE", ("webhooks", ID), webhooks.delete_webhook),
]
