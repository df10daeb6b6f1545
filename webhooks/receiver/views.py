"""The local webhook receiver: stores every POST, lists it, clears it; must not import the sending side.

It belongs to the sandbox's process and trusts whoever can reach it.
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from webhooks.receiver.models import ReceivedWebhook
from webhooks.receiver.reading import clean, parse_json, read_body

MAX_BODY_BYTES = 1_000_000
NEWEST_LISTED = 1000
NEWEST_ON_PAGE = 100
KEPT_HEADERS = (
    "Content-Type",
    "Content-Length",
    "User-Agent",
    "Webhook-Id",
    "Webhook-Timestamp",
    "Webhook-Signature",
)


@method_decorator(csrf_exempt, name="dispatch")
class ReceiverView(View):
    """POST stores and answers 200; GET lists, newest first; DELETE clears. GET and DELETE take the same filters."""

    def post(self, request: HttpRequest) -> HttpResponse:
        return _store(request, answer=200)

    def get(self, request: HttpRequest) -> HttpResponse:
        found = _select(request)
        if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
            shown = [_show(received) for received in found[:NEWEST_ON_PAGE]]
            context = {"received": shown, "total": found.count(), "filters": _read_filters(request)}
            return render(request, "receiver/list.html", context)
        listed = [_represent(received) for received in found[:NEWEST_LISTED]]
        return JsonResponse({"received": listed, "total": found.count()})

    def delete(self, request: HttpRequest) -> HttpResponse:
        deleted, _ = _select(request).delete()
        return JsonResponse({"deleted": deleted})


@method_decorator(csrf_exempt, name="dispatch")
class StatusView(View):
    """POST stores and answers the status that the path names, from 200 to 599, to play an endpoint that fails."""

    def post(self, request: HttpRequest, code: int) -> HttpResponse:
        if not 200 <= code <= 599:
            return JsonResponse({"error": "The status must be from 200 to 599."}, status=400)
        response = _store(request, answer=code)
        if 300 <= code < 400:
            response["Location"] = request.path
        return response


def _store(request: HttpRequest, *, answer: int) -> HttpResponse:
    raw = request.read(MAX_BODY_BYTES + 1)
    if len(raw) > MAX_BODY_BYTES:
        return JsonResponse({"error": f"The body is larger than {MAX_BODY_BYTES:,} bytes."}, status=413)
    body = read_body(raw)
    ReceivedWebhook.objects.create(
        received_at=timezone.now(),
        event_id=body.event_id,
        event_type=body.event_type,
        case_id=body.case_id,
        headers={name: clean(request.headers[name]) for name in KEPT_HEADERS if name in request.headers},
        body=body.text,
        answered=answer,
    )
    if answer in (204, 205, 304):
        return HttpResponse(status=answer)
    return JsonResponse({"received": True}, status=answer)


def _read_filters(request: HttpRequest) -> dict[str, str]:
    return {name: clean(request.GET[name]) for name in ("event_type", "case_id") if request.GET.get(name)}


def _select(request: HttpRequest) -> QuerySet[ReceivedWebhook]:
    return ReceivedWebhook.objects.filter(**_read_filters(request))


def _represent(received: ReceivedWebhook) -> dict[str, Any]:
    return {
        "received_at": received.received_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "event_id": received.event_id,
        "event_type": received.event_type,
        "case_id": received.case_id,
        "answered": received.answered,
        "headers": received.headers,
        "body": parse_json(received.body),
    }


def _show(received: ReceivedWebhook) -> dict[str, Any]:
    parsed = parse_json(received.body)
    text = parsed if isinstance(parsed, str) else clean(json.dumps(parsed, indent=2, ensure_ascii=False))
    return {"webhook": received, "text": text}
