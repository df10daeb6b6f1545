"""The sandbox's own API for scripts and tests: play the counterparty, read what was sent, queue faults.

It has no key, because the sandbox listens on this machine only. Changing calls must be declared as JSON: a web
page of another origin cannot send that content type without asking first, and is never allowed to.
"""

import functools
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from pydantic import BaseModel

from agentmail.sandbox.addresses import bare_address
from agentmail.sandbox.bodies import BlockBody, BounceBody, ClockBody, ComplaintBody, InboundBody, RejectBody
from agentmail.sandbox.clock import read_moment, read_offset_seconds, set_offset_seconds
from agentmail.sandbox.counterparty import receive_inbound, report_bounce, report_complaint, report_rejection
from agentmail.sandbox.deliveries import list_deliveries
from agentmail.sandbox.faults import clear_faults, list_faults, queue_faults
from agentmail.sandbox.jsontext import BadBodyError, JSONObject, check_object, describe_error, make_error, read_object
from agentmail.sandbox.mail import block_addresses, files_without_content
from agentmail.sandbox.models import BlockedAddress, Direction, Message
from agentmail.sandbox.provider.call import read_body_bytes
from agentmail.sandbox.provider.errors import ProviderError
from agentmail.sandbox.shapes import attachment_json, iso, message_json

LISTED_DELIVERIES = 200

Model = TypeVar("Model", bound=BaseModel)
View = Callable[[HttpRequest], HttpResponse]


def control_view(view: View) -> View:
    """Returns the view as part of the control API: a POST must be JSON, and every refusal is `{"error": …}`.

    415 for another content type, 400 for BadBodyError, 413 for a body above 25 MB.
    """

    @csrf_exempt
    @functools.wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and request.content_type != "application/json":
            return _refuse(415, [make_error(["Content-Type"], "must be application/json", "unsupported_media_type")])
        try:
            return view(request)
        except BadBodyError as fault:
            return _refuse(400, fault.errors)
        except ProviderError as error:
            return JsonResponse({"error": error.body}, status=error.status)

    return answer


@require_GET
def live(_request: HttpRequest) -> HttpResponse:
    """GET /sandbox/livez: `ok` while the process serves."""
    return HttpResponse("ok", content_type="text/plain")


@control_view
@require_POST
def inbound(request: HttpRequest) -> HttpResponse:
    """POST /sandbox/inbound: a mail from the counterparty; answers with its ids."""
    message = receive_inbound(read_body(request, InboundBody), read_moment())
    return JsonResponse({"message_id": message.message_id, "thread_id": str(message.thread.thread_id)})


@control_view
@require_POST
def bounce(request: HttpRequest) -> HttpResponse:
    """POST /sandbox/bounce: a sent mail comes back."""
    body = read_body(request, BounceBody)
    return _answer_report(
        report_bounce(body.message_id, body.type, body.sub_type, list(body.recipients), read_moment())
    )


@control_view
@require_POST
def complaint(request: HttpRequest) -> HttpResponse:
    """POST /sandbox/complaint: a sent mail is reported as spam."""
    body = read_body(request, ComplaintBody)
    return _answer_report(report_complaint(body.message_id, body.type, body.sub_type, read_moment()))


@control_view
@require_POST
def reject(request: HttpRequest) -> HttpResponse:
    """POST /sandbox/reject: the provider itself refuses a mail that it had accepted."""
    body = read_body(request, RejectBody)
    return _answer_report(report_rejection(body.message_id, body.reason, read_moment()))


@control_view
@require_GET
def outbox(request: HttpRequest) -> HttpResponse:
    """GET /sandbox/outbox: every mail that was sent, oldest first; `to` and `thread_id` narrow it down."""
    sent = _select(request).filter(direction=Direction.OUTBOUND)
    wanted = bare_address(request.GET.get("to", ""))
    found = [
        _outbox_entry(message)
        for message in sent
        if not wanted or wanted in [bare_address(address) for address in message.to]
    ]
    return JsonResponse({"count": len(found), "messages": found})


@control_view
@require_GET
def messages(request: HttpRequest) -> HttpResponse:
    """GET /sandbox/messages: every message both ways, oldest first, as the provider's API shows it."""
    found = [message_json(message) | {"direction": message.direction} for message in _select(request)]
    return JsonResponse({"count": len(found), "messages": found})


@control_view
@require_http_methods(["GET", "POST", "DELETE"])
def faults(request: HttpRequest) -> HttpResponse:
    """GET the queue of faults, POST to append to it, DELETE to empty it; answers with the queue."""
    if request.method == "POST":
        queue_faults(read_object(read_body_bytes(request)), read_moment())
    elif request.method == "DELETE":
        clear_faults()
    return JsonResponse(list_faults())


@control_view
@require_http_methods(["GET", "POST", "DELETE"])
def blocked(request: HttpRequest) -> HttpResponse:
    """GET the addresses that the provider does not send to, POST `{"address"}` to add one, DELETE to lift all."""
    if request.method == "POST":
        block_addresses([bare_address(read_body(request, BlockBody).address)], "blocked", read_moment())
    elif request.method == "DELETE":
        BlockedAddress.objects.all().delete()
    return JsonResponse({"addresses": list(BlockedAddress.objects.order_by("id").values("address", "reason"))})


@control_view
@require_http_methods(["GET", "POST"])
def clock(request: HttpRequest) -> HttpResponse:
    """GET the provider's clock, POST `{"hours": 25}` to move it on or `{"reset": true}` to set it right."""
    if request.method == "POST":
        body = read_body(request, ClockBody)
        hours = timedelta(hours=body.hours)
        set_offset_seconds(0 if body.reset else read_offset_seconds() + int(hours.total_seconds()))
    return JsonResponse({"now": iso(read_moment().provider), "offset_seconds": read_offset_seconds()})


@control_view
@require_GET
def deliveries(_request: HttpRequest) -> HttpResponse:
    """GET /sandbox/webhooks: how many webhook deliveries wait, and how the last 200 went, newest first."""
    return JsonResponse(list_deliveries(LISTED_DELIVERIES))


def read_body(request: HttpRequest, model: type[Model]) -> Model:
    """Returns the request's JSON object as the model; raises BadBodyError with every field that does not fit."""
    return check_object(read_object(read_body_bytes(request)), model)


def _select(request: HttpRequest) -> QuerySet[Message]:
    found = Message.objects.select_related("inbox", "thread").prefetch_related(files_without_content())
    thread_id = request.GET.get("thread_id")
    if thread_id is not None:
        try:
            found = found.filter(thread__thread_id=uuid.UUID(thread_id))
        except ValueError:
            raise BadBodyError([make_error(["thread_id"], "must be a UUID", "invalid_value")]) from None
    return found.order_by("id")


def _outbox_entry(message: Message) -> JSONObject:
    return {
        "message_id": message.message_id,
        "thread_id": str(message.thread.thread_id),
        "inbox_id": message.inbox.inbox_id,
        "to": message.to,
        "cc": message.cc,
        "bcc": message.bcc,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "in_reply_to": message.in_reply_to,
        "headers": message.headers,
        "labels": message.labels,
        "idempotency_key": message.idempotency_key,
        "attachments": [attachment_json(attachment) for attachment in message.attachments.all()],
        "failure": message.failure,
        "sent_at": iso(message.timestamp),
    }


def _answer_report(message: Message) -> HttpResponse:
    return JsonResponse({"message_id": message.message_id, "thread_id": str(message.thread.thread_id)})


def _refuse(status: int, errors: list[JSONObject]) -> HttpResponse:
    message = "; ".join(describe_error(error) for error in errors)
    return JsonResponse({"error": {"message": message, "errors": errors}}, status=status)
