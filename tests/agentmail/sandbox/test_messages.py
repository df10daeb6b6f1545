"""Listing, reading and labelling messages."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from agentmail.sandbox.models import Message
from tests.agentmail.sandbox.conftest import INBOX, Control, Provider


def _list(provider: Provider, **query: Any) -> Any:
    return provider.call("GET", f"/inboxes/{INBOX}/messages?{urlencode(query, doseq=True)}")


def _subjects(provider: Provider, **query: Any) -> list[str]:
    return [message["subject"] for message in _list(provider, **query).json()["messages"]]


def _send(provider: Provider, subject: str, *labels: str, to: str = "maya@supplier.example") -> Any:
    return provider.send({"to": to, "subject": subject, "text": subject, "labels": list(labels)}).json()


def test_a_list_is_newest_first_without_bodies_and_counts_its_page(provider: Provider) -> None:
    for subject in ("a", "b", "c"):
        _send(provider, subject)
    listed = _list(provider, limit=2).json()
    assert [message["subject"] for message in listed["messages"]] == ["c", "b"]
    assert (listed["count"], listed["limit"]) == (2, 2)
    assert "text" not in listed["messages"][0]
    rest = _list(provider, limit=2, page_token=listed["next_page_token"]).json()
    assert [message["subject"] for message in rest["messages"]] == ["a"]
    assert "next_page_token" not in rest
    assert _subjects(provider, ascending="true") == ["a", "b", "c"]


def test_pages_are_twenty_long_unless_asked_for(provider: Provider) -> None:
    for number in range(21):
        _send(provider, str(number))
    listed = _list(provider).json()
    assert (listed["count"], listed["limit"]) == (20, 20)
    assert _list(provider, limit=100).json()["count"] == 21


@pytest.mark.parametrize(
    "query",
    [
        "labels=%5B%22offload-1%22%2C%22sent%22%5D",
        "labels=offload-1&labels=sent",
        "labels=offload-1,sent",
        "labels=OFFLOAD-1",
    ],
)
def test_labels_are_found_in_every_form_and_all_must_match(provider: Provider, query: str) -> None:
    _send(provider, "first", "offload-1")
    _send(provider, "second", "offload-2")
    listed = provider.call("GET", f"/inboxes/{INBOX}/messages?{query}").json()
    assert [message["subject"] for message in listed["messages"]] == ["first"]
    assert _subjects(provider, labels=["offload-1", "offload-2"]) == []


@pytest.mark.parametrize("variant", ["spam", "blocked", "unauthenticated"])
def test_hidden_mail_is_listed_only_when_it_is_asked_for(provider: Provider, control: Control, variant: str) -> None:
    control.post("inbound", {"from": "m@x.example", "subject": variant, "text": "a", "variant": variant})
    control.post("inbound", {"from": "m@x.example", "subject": "plain", "text": "a"})
    assert _subjects(provider) == ["plain"]
    assert _subjects(provider, **{f"include_{variant}": "true"}) == ["plain", variant]


def test_a_trashed_message_is_hidden_too(provider: Provider) -> None:
    message_id = quote(_send(provider, "a")["message_id"], safe="")
    provider.call("PATCH", f"/inboxes/{INBOX}/messages/{message_id}", {"add_labels": "trash"})
    assert _subjects(provider) == []
    assert _subjects(provider, include_trash="true") == ["a"]


def test_sender_recipient_and_subject_are_found_by_parts_and_all_must_match(
    provider: Provider, control: Control
) -> None:
    _send(provider, "Quarterly report", to="Omar <omar@x.example>")
    _send(provider, "W-9 form")
    control.post("inbound", {"from": "Maya <maya@supplier.example>", "subject": "Hello", "text": "a"})
    assert _subjects(provider, to="OMAR") == ["Quarterly report"]
    assert _subjects(provider, subject=["quarterly", "port"]) == ["Quarterly report"]
    assert _subjects(provider, subject=["quarterly", "form"]) == []
    assert _subjects(provider, **{"from": "maya@"}) == ["Hello"]


def test_messages_are_found_by_their_time(provider: Provider, control: Control) -> None:
    _send(provider, "now")
    control.post("clock", {"hours": 48})
    _send(provider, "later")
    between = control.post("clock", {"hours": -24}).json()["now"]
    assert _subjects(provider, before=between) == ["now"]
    assert _subjects(provider, after=between) == ["later"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "x"},
        {"limit": "9" * 30},
        {"page_token": "?"},
        {"page_token": "eA=="},
        {"page_token": "MS4y"},
        {"before": "yesterday"},
        {"after": "2026-11-24T10:00:00"},
        {"ascending": "maybe"},
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_by_name(provider: Provider, query: dict[str, str]) -> None:
    answer = _list(provider, **query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == list(query)


def test_labels_are_added_and_removed_lower_cased(provider: Provider) -> None:
    message_id = _send(provider, "a", "offload-1")["message_id"]
    path = f"/inboxes/{INBOX}/messages/{quote(message_id, safe='')}"
    body = {"add_labels": ["Seen", "seen"], "remove_labels": "OFFLOAD-1"}
    assert provider.call("PATCH", path, body).json() == {"message_id": message_id, "labels": ["sent", "seen"]}
    assert provider.call("PATCH", path, body).json() == {"message_id": message_id, "labels": ["sent", "seen"]}
    assert Message.objects.get().labels == ["sent", "seen"]


def test_a_message_of_another_inbox_is_not_found(provider: Provider) -> None:
    message_id = quote(_send(provider, "a")["message_id"], safe="")
    other = provider.call("POST", "/inboxes", {"username": "other"}).json()["inbox_id"]
    assert provider.call("GET", f"/inboxes/{other}/messages/{message_id}").status_code == 404


def test_html_only_mail_has_no_text_and_no_preview(provider: Provider, control: Control) -> None:
    received = control.post("inbound", {"from": "m@x.example", "html": "<p>Yes</p>"}).json()
    path = f"/inboxes/{INBOX}/messages/{quote(received['message_id'], safe='')}"
    message = provider.call("GET", path).json()
    assert message["html"] == message["extracted_html"] == "<p>Yes</p>"
    assert message.keys().isdisjoint({"text", "preview", "extracted_text"})
