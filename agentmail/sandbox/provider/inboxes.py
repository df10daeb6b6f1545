"""The provider's calls on inboxes: create, list, get; must not touch mail."""

import secrets

from django.db import IntegrityError, transaction
from django.http import HttpResponse, JsonResponse

from agentmail.sandbox.bodies import InboxBody
from agentmail.sandbox.models import Inbox
from agentmail.sandbox.provider.call import Call
from agentmail.sandbox.provider.errors import ProviderError
from agentmail.sandbox.provider.lookup import find_inbox
from agentmail.sandbox.provider.paging import cut_page
from agentmail.sandbox.shapes import inbox_json

DEFAULT_DOMAIN = "sandbox.example"


def create_inbox(call: Call) -> HttpResponse:
    """POST /inboxes; the same `client_id` again answers with the inbox it made before."""
    body = call.read_body(InboxBody)
    if body.client_id is not None:
        existing = Inbox.objects.filter(client_id=body.client_id).first()
        if existing is not None:
            return JsonResponse(inbox_json(existing))
    address = f"{body.username or secrets.token_hex(6)}@{body.domain or DEFAULT_DOMAIN}".lower()
    try:
        with transaction.atomic():
            inbox = Inbox.objects.create(
                inbox_id=address,
                display_name=body.display_name or "",
                client_id=body.client_id,
                metadata=body.metadata or {},
                created_at=call.at.provider,
                updated_at=call.at.provider,
            )
    except IntegrityError:
        raise ProviderError(403, "IsTakenError", "is_taken", f"The inbox {address} is taken") from None
    return JsonResponse(inbox_json(inbox))


def list_inboxes(call: Call) -> HttpResponse:
    """GET /inboxes: newest first unless `ascending`, in pages."""
    page = cut_page(call, Inbox.objects.all(), ascending=call.flag("ascending"))
    return JsonResponse(page.envelope | {"inboxes": [inbox_json(inbox) for inbox in page.rows]})


def get_inbox(_call: Call, inbox_id: str) -> HttpResponse:
    """GET /inboxes/{inbox}."""
    return JsonResponse(inbox_json(find_inbox(inbox_id)))
