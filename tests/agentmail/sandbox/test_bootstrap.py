"""What the sandbox has when it starts."""

import pytest

from agentmail.sandbox.bootstrap import ensure_defaults
from agentmail.sandbox.models import Inbox, Webhook
from tests.agentmail.sandbox.conftest import INBOX, SECRET, START


@pytest.mark.django_db
def test_the_second_start_sets_the_webhook_right_and_leaves_the_rest() -> None:
    ensure_defaults(inbox_id=INBOX, webhook_url="http://a.example", webhook_secret=SECRET, now=START)
    Webhook.objects.update(enabled=False)
    ensure_defaults(inbox_id=INBOX, webhook_url="http://b.example", webhook_secret="whsec_bmV3", now=START)
    assert Inbox.objects.count() == 1
    webhook = Webhook.objects.get()
    assert (webhook.url, webhook.secret, webhook.enabled) == ("http://b.example", "whsec_bmV3", False)
    assert webhook.event_types == [
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
