"""What the sandbox has when it starts: the configured inbox, and the webhook that leads to the product."""

from datetime import datetime

from django.db import transaction

from agentmail.sandbox.models import Inbox, Webhook

WEBHOOK_CLIENT_ID = "offload-default"
WEBHOOK_EVENT_TYPES = [
    "message.received",
    "message.received.unauthenticated",
    "message.received.spam",
    "message.received.blocked",
    "message.sent",
    "message.delivered",
    "message.bounced",
    "message.complained",
    "message.rejected",
]


def ensure_defaults(*, inbox_id: str, webhook_url: str, webhook_secret: str, now: datetime) -> None:
    """Makes the inbox and the webhook, or sets the webhook's URL, secret and events right; a second call is idle.

    A webhook that somebody disabled stays so.
    """
    with transaction.atomic():
        Inbox.objects.get_or_create(inbox_id=inbox_id, defaults={"created_at": now, "updated_at": now})
        Webhook.objects.update_or_create(
            client_id=WEBHOOK_CLIENT_ID,
            defaults={
                "url": webhook_url,
                "secret": webhook_secret,
                "event_types": WEBHOOK_EVENT_TYPES,
                "updated_at": now,
            },
            create_defaults={
                "webhook_id": "ep_default",
                "url": webhook_url,
                "secret": webhook_secret,
                "event_types": WEBHOOK_EVENT_TYPES,
                "created_at": now,
                "updated_at": now,
            },
        )
