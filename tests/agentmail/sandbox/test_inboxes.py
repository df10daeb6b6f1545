"""The provider's inboxes."""

from agentmail.sandbox.models import Inbox
from tests.agentmail.sandbox.conftest import INBOX, Provider


def test_an_inbox_is_created_once_per_client_id(provider: Provider) -> None:
    body = {"username": "Second", "domain": "x.example", "display_name": "Acme", "client_id": "c-1"}
    first = provider.call("POST", "/inboxes", body)
    assert first.status_code == 200
    assert first.json()["inbox_id"] == first.json()["email"] == "second@x.example"
    assert first.json()["display_name"] == "Acme"
    assert {"pod_id", "created_at", "updated_at"} < first.json().keys()
    assert provider.call("POST", "/inboxes", {"client_id": "c-1"}).json() == first.json()
    assert Inbox.objects.count() == 2


def test_a_taken_address_is_refused(provider: Provider) -> None:
    body = {"username": "agent", "domain": "offload.example"}
    answer = provider.call("POST", "/inboxes", body)
    assert (answer.status_code, answer.json()["name"]) == (403, "IsTakenError")
    assert Inbox.objects.count() == 1


def test_a_client_id_with_an_at_sign_is_refused(provider: Provider) -> None:
    answer = provider.call("POST", "/inboxes", {"client_id": "a@b"})
    assert answer.json()["errors"][0]["path"] == ["client_id"]
    assert Inbox.objects.count() == 1


def test_inboxes_are_listed_in_pages_and_read_one_by_one(provider: Provider) -> None:
    provider.call("POST", "/inboxes", {"username": "second"})
    page = provider.call("GET", "/inboxes?limit=1").json()
    assert [inbox["inbox_id"] for inbox in page["inboxes"]] == ["second@sandbox.example"]
    rest = provider.call("GET", f"/inboxes?limit=1&page_token={page['next_page_token']}").json()
    assert [inbox["inbox_id"] for inbox in rest["inboxes"]] == [INBOX]
    assert provider.call("GET", "/inboxes/agent%40offload.example").json() == rest["inboxes"][0]


def test_mail_goes_out_under_the_display_name_of_its_inbox(provider: Provider) -> None:
    provider.call("POST", "/inboxes", {"username": "named", "display_name": "Acme Payables"})
    path = "/inboxes/named@sandbox.example/messages"
    provider.call("POST", f"{path}/send", {"to": "a@b.example"})
    assert provider.call("GET", path).json()["messages"][0]["from"] == "Acme Payables <named@sandbox.example>"
