"""The provider's calls on webhooks: create, list, get, change, delete; delivering is for `deliveries.py`."""

import base64
import secrets
import uuid

from django.http import HttpResponse, JsonResponse

from agentmail.sandbox.bodies import WebhookBody, WebhookPatchBody
from agentmail.sandbox.models import Webhook
from agentmail.sandbox.provider.call import Call
from agentmail.sandbox.provider.errors import not_found
from agentmail.sandbox.provider.paging import cut_page
from agentmail.sandbox.shapes import webhook_json


def create_webhook(call: Call) -> HttpResponse:
    """POST /webhooks; answers with its secret. The same `client_id` again answers with the first one."""
    body = call.read_body(WebhookBody)
    if body.client_id is not None:
        existing = Webhook.objects.filter(client_id=body.client_id).first()
        if existing is not None:
            return JsonResponse(webhook_json(existing))
    webhook = Webhook.objects.create(
        webhook_id=f"ep_{uuid.uuid4().hex}",
        url=body.url,
        secret="whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        event_types=body.event_types,
        inbox_ids=body.inbox_ids or [],
        pod_ids=body.pod_ids or [],
        client_id=body.client_id,
        headers=body.headers,
        created_at=call.at.provider,
        updated_at=call.at.provider,
    )
    return JsonResponse(webhook_json(webhook))


def list_webhooks(call: Call) -> HttpResponse:
    """GET /webhooks: newest first unless `ascending`, in pages."""
    page = cut_page(call, Webhook.objects.all(), ascending=call.flag("ascending"))
    return JsonResponse(page.envelope | {"webhooks": [webhook_json(webhook) for webhook in page.rows]})


def get_webhook(_call: Call, webhook_id: str) -> HttpResponse:
    """GET /webhooks/{id}."""
    return JsonResponse(webhook_json(_find(webhook_id)))


def update_webhook(call: Call, webhook_id: str) -> HttpResponse:
    """PATCH /webhooks/{id}: `event_types` replaces the whole list; the URL cannot be changed."""
    webhook = _find(webhook_id)
    body = call.read_body(WebhookPatchBody)
    if body.event_types is not None:
        webhook.event_types = body.event_types
    if body.enabled is not None:
        webhook.enabled = body.enabled
    webhook.inbox_ids = _change(webhook.inbox_ids, body.add_inbox_ids, body.remove_inbox_ids)
    webhook.pod_ids = _change(webhook.pod_ids, body.add_pod_ids, body.remove_pod_ids)
    webhook.updated_at = call.at.provider
    webhook.save()
    return JsonResponse(webhook_json(webhook))


def delete_webhook(_call: Call, webhook_id: str) -> HttpResponse:
    """DELETE /webhooks/{id}: its waiting deliveries go with it; no body."""
    _find(webhook_id).delete()
    return HttpResponse(status=204)


def _find(webhook_id: str) -> Webhook:
    webhook = Webhook.objects.filter(webhook_id=webhook_id).first()
    if webhook is None:
        raise not_found("Webhook")
    return webhook


def _change(values: list[str], added: list[str], removed: list[str]) -> list[str]:
    return [value for value in dict.fromkeys([*values, *added]) if value not in removed]
