"""The provider's webhooks as its API manages them."""

from typing import Any

import pytest

from agentmail.sandbox.models import Delivery, Webhook
from tests.agentmail.sandbox.conftest import Control, Provider

BODY = {"url": "http://127.0.0.1:9/hook", "event_types": ["message.received"]}


def test_a_webhook_is_created_with_a_secret_and_once_per_client_id(provider: Provider) -> None:
    first = provider.call("POST", "/webhooks", BODY | {"client_id": "c-1", "headers": {"x-token": "t"}}).json()
    assert first["secret"].startswith("whsec_")
    assert first["enabled"] is True
    assert (first["url"], first["event_types"]) == (BODY["url"], BODY["event_types"])
    assert "headers" not in first
    assert provider.call("POST", "/webhooks", BODY | {"client_id": "c-1"}).json() == first
    assert provider.call("GET", f"/webhooks/{first['webhook_id']}").json() == first
    assert Webhook.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": BODY["url"]}, "event_types"),
        (BODY | {"event_types": []}, "event_types"),
        (BODY | {"event_types": ["message.eaten"]}, "event_types"),
        (BODY | {"url": "ftp://x.example"}, "url"),
        (BODY | {"inbox_ids": [str(number) for number in range(11)]}, "inbox_ids"),
    ],
)
def test_a_webhook_that_cannot_work_is_refused(provider: Provider, body: Any, field: str) -> None:
    answer = provider.call("POST", "/webhooks", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == [field]
    assert Webhook.objects.count() == 1


def test_event_types_are_replaced_and_inboxes_added_but_the_url_stays(provider: Provider) -> None:
    path = f"/webhooks/{provider.call('POST', '/webhooks', BODY).json()['webhook_id']}"
    change = {"event_types": ["message.sent"], "add_inbox_ids": ["a", "b"], "url": "http://other.example"}
    provider.call("PATCH", path, change)
    changed = provider.call("PATCH", path, {"remove_inbox_ids": ["a"], "enabled": False}).json()
    assert changed["event_types"] == ["message.sent"]
    assert changed["inbox_ids"] == ["b"]
    assert changed["enabled"] is False
    assert changed["url"] == BODY["url"]


def test_a_deleted_webhook_is_gone_with_its_waiting_deliveries(provider: Provider) -> None:
    provider.send()
    assert Delivery.objects.count() == 2
    listed = provider.call("GET", "/webhooks").json()
    assert listed["count"] == 1
    path = f"/webhooks/{listed['webhooks'][0]['webhook_id']}"
    answer = provider.call("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert Delivery.objects.count() == 0
    assert provider.call("DELETE", path).status_code == 404


def test_events_of_a_disabled_webhook_and_of_other_inboxes_are_not_queued(provider: Provider, control: Control) -> None:
    webhook = provider.call("GET", "/webhooks").json()["webhooks"][0]
    path = f"/webhooks/{webhook['webhook_id']}"
    provider.call("PATCH", path, {"enabled": False})
    provider.send()
    provider.call("PATCH", path, {"enabled": True, "add_inbox_ids": ["other@x.example"]})
    provider.send()
    assert control.get("webhooks") == {"pending": 0, "deliveries": []}
