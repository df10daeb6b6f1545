"""The yardstick of POST /cases: the least that Django can do for the same two rows; must not do anything more.

No key, no validation, no limits, no middleware, no queue. The settings, the models and the tables are the product's.
"""

from __future__ import annotations

import json
import os
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils import timezone

from cases.models import Case, CaseEvent


def open_case(request: HttpRequest) -> JsonResponse:
    """Stores the case and its first event and answers as the product does."""
    body = json.loads(request.body)
    now = timezone.now()
    case_id = uuid4()
    with transaction.atomic():
        case = Case.objects.create(id=case_id, client_id=CLIENT_ID, created_at=now, updated_at=now, **_flatten(body))
        CaseEvent.objects.create(
            key=f"created:{case_id}",
            case_id=case_id,
            kind="CASE_CREATED",
            payload_hash="0" * 64,
            run_after=now,
            created_at=now,
        )
    response = JsonResponse({"ok": True, "data": {"caseId": str(case.id), "status": case.status}}, status=201)
    # Without a middleware nothing adds it, and gunicorn would send chunks.
    response["Content-Length"] = str(len(response.content))
    return response


def _flatten(body: dict[str, Any]) -> dict[str, Any]:
    counterparty, persona = body["counterparty"], body["senderPersona"]
    return {
        "channel": body["channel"],
        "objective": body["goal"]["objective"],
        "knowledge": body["goal"]["knowledge"],
        "counterparty_address": counterparty["address"],
        "counterparty_name": counterparty["name"],
        "counterparty_timezone": counterparty["timezone"],
        "persona_name": persona["name"],
        "persona_role": persona["role"],
        "persona_company": persona["company"],
        "client_reference_id": body["clientReferenceId"],
        "result_schema": body["resultSchema"],
        "client_webhook_url": body["clientWebhookUrl"],
        "metadata": body["metadata"],
    }


CLIENT_ID = os.environ["BENCH_CLIENT_ID"]
urlpatterns = [path("cases", open_case)]
