"""Reading and listing threads."""

from typing import Any

from tests.agentmail.sandbox.conftest import INBOX, Control, Provider


def _make_thread(provider: Provider, control: Control, replies: int) -> str:
    thread_id: str = provider.send().json()["thread_id"]
    for number in range(replies):
        control.post("inbound", {"thread_id": thread_id, "text": f"reply {number}"})
    return thread_id


def _texts(page: Any) -> list[str]:
    return [message["text"] for message in page["messages"]]


def test_the_first_page_has_the_newest_messages_in_ascending_order(provider: Provider, control: Control) -> None:
    thread_id = _make_thread(provider, control, 4)
    path = f"/inboxes/{INBOX}/threads/{thread_id}?limit=2"
    first = provider.call("GET", path).json()
    assert _texts(first) == ["reply 2", "reply 3"]
    assert (first["count"], first["limit"], first["message_count"]) == (2, 2, 5)
    second = provider.call("GET", f"{path}&page_token={first['next_page_token']}").json()
    assert _texts(second) == ["reply 0", "reply 1"]
    third = provider.call("GET", f"{path}&page_token={second['next_page_token']}").json()
    assert _texts(third) == ["Please send it."]
    assert "next_page_token" not in third


def test_a_page_has_twenty_messages_unless_asked_for_and_at_most_a_hundred(
    provider: Provider, control: Control
) -> None:
    thread_id = _make_thread(provider, control, 20)
    assert provider.call("GET", f"/threads/{thread_id}").json()["count"] == 20
    assert provider.call("GET", f"/threads/{thread_id}?limit=100").json()["count"] == 21
    assert provider.call("GET", f"/threads/{thread_id}?limit=101").status_code == 400


def test_a_thread_has_every_required_field_and_is_the_same_with_and_without_its_inbox(
    provider: Provider, control: Control
) -> None:
    thread_id = _make_thread(provider, control, 1)
    thread = provider.call("GET", f"/threads/{thread_id}").json()
    assert provider.call("GET", f"/inboxes/{INBOX}/threads/{thread_id}").json() == thread
    messages = thread["messages"]
    assert thread["last_message_id"] == messages[-1]["message_id"]
    assert thread["senders"] == [INBOX, "Maya Chen <maya@supplier.example>"]
    assert thread["recipients"] == ["Maya Chen <maya@supplier.example>", INBOX]
    assert thread["labels"] == ["received", "sent", "unread"]
    assert thread["size"] == len("Please send it.") + len("reply 0")
    assert thread["sent_timestamp"] == messages[0]["timestamp"]
    assert thread["received_timestamp"] == thread["timestamp"] == messages[1]["timestamp"]
    assert (thread["inbox_id"], thread["subject"], thread["preview"]) == (INBOX, "W-9", "reply 0")
    assert {"updated_at", "created_at"} < thread.keys()


def test_a_thread_of_another_inbox_is_not_found(provider: Provider, control: Control) -> None:
    thread_id = _make_thread(provider, control, 0)
    other = provider.call("POST", "/inboxes", {"username": "other"}).json()["inbox_id"]
    assert provider.call("GET", f"/inboxes/{other}/threads/{thread_id}").status_code == 404
    assert provider.call("GET", "/threads/00000000-0000-0000-0000-000000000000").status_code == 404


def test_one_unauthenticated_reply_hides_the_thread_from_lists_but_not_from_a_read(
    provider: Provider, control: Control
) -> None:
    thread_id = _make_thread(provider, control, 0)
    control.post("inbound", {"thread_id": thread_id, "text": "hidden", "variant": "unauthenticated"})
    assert provider.call("GET", "/threads").json()["threads"] == []
    listed = provider.call("GET", "/threads?include_unauthenticated=true").json()["threads"]
    assert [thread["thread_id"] for thread in listed] == [thread_id]
    assert _texts(provider.call("GET", f"/threads/{thread_id}").json()) == ["Please send it.", "hidden"]


def test_threads_are_listed_by_their_latest_message_in_pages(provider: Provider, control: Control) -> None:
    first, second, third = (_make_thread(provider, control, 0) for _ in range(3))
    control.post("inbound", {"thread_id": first, "text": "newest"})
    page = provider.call("GET", f"/inboxes/{INBOX}/threads?limit=2").json()
    assert [thread["thread_id"] for thread in page["threads"]] == [first, third]
    rest = provider.call("GET", f"/inboxes/{INBOX}/threads?limit=2&page_token={page['next_page_token']}").json()
    assert [thread["thread_id"] for thread in rest["threads"]] == [second]
    assert "next_page_token" not in rest


def test_threads_are_found_by_the_labels_of_a_message(provider: Provider) -> None:
    found = provider.send({"to": "a@b.example", "labels": ["offload-1"]}).json()["thread_id"]
    provider.send()
    listed = provider.call("GET", "/threads?labels=offload-1,sent").json()["threads"]
    assert [thread["thread_id"] for thread in listed] == [found]
