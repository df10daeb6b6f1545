"""A conversation is whole whether the provider answers or not."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from agentmail.client import AgentMailClient
from agentmail.inbound import AutomaticKind, Variant
from agentmail.reading import read_stored_thread, read_thread, render_transcript
from tests.agentmail.conftest import INBOX, NOW, OWNER, Hooks, freeze, received, send
from tests.agentmail.provider import Conversation, Provider, reset, say

OURS = "<1@agentmail.to>"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def client(provider: Provider) -> AgentMailClient:
    return AgentMailClient(provider.url, "am_key", connect_timeout=1, read_timeout=1)


def live(message_id: str, minute: int, sender: str = "Maya Chen <maya@northwind.example>", **more: Any) -> Any:
    return {
        "inbox_id": INBOX,
        "thread_id": "t-1",
        "message_id": message_id,
        "from": sender,
        "timestamp": f"2026-11-24T10:{minute:02}:00Z",
        "text": f"live {message_id}",
        "labels": ["received"],
    } | more


@pytest.mark.django_db
def test_before_anything_was_sent_there_is_no_thread(client: AgentMailClient, provider: Provider) -> None:
    freeze()

    view = read_thread(OWNER, client=client)

    assert (view.messages, view.has_thread, view.is_live) == ((), False, False)
    assert provider.received == []


@pytest.mark.django_db
def test_live_and_stored_messages_are_united_each_once_oldest_first(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    send(OURS, "t-1")
    hooks.store(
        received("<2@x.example>", "t-1", timestamp="2026-11-24T10:02:00Z", text="stored 2", extracted_text=""),
        NOW + 9 * MINUTE,
    )
    hooks.store(received("<4@x.example>", "t-1", timestamp="2026-11-24T10:04:00Z"), NOW + 9 * MINUTE)
    provider.play(
        say(200, {"messages": [live("<3@x.example>", 3, attachments=[{"attachment_id": "a", "filename": "w9.pdf"}])]})
    )
    provider.play(say(200, {"messages": []}))

    view = read_thread(OWNER, client=client)

    assert (view.is_live, view.has_thread) == (True, True)
    assert [(m.message_id, m.direction, m.text) for m in view.messages] == [
        (OURS, "outbound", "Hello Maya,\n\ncould you send us your W-9?\n\nAda"),
        ("<2@x.example>", "inbound", "stored 2"),
        ("<3@x.example>", "inbound", "live <3@x.example>"),
        ("<4@x.example>", "inbound", "Here it is."),
    ]
    assert [a.filename for a in view.messages[2].attachments] == ["w9.pdf"]


@pytest.mark.django_db
def test_the_stored_message_stands_and_the_live_one_fills_what_it_lacks(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    send(OURS, "t-1")
    hooks.store(
        received("<2@x.example>", "t-1", event_type="message.received.unauthenticated", text="", extracted_text="")
    )
    provider.play(
        say(
            200,
            {
                "messages": [
                    live(OURS, 0, f"Agent <{INBOX}>", text="altered"),
                    live("<2@x.example>", 1, text="the long body", authentication_results={"dmarc": "fail"}),
                ]
            },
        )
    )

    view = read_thread(OWNER, client=client)

    reply, ours = view.messages
    assert ours.text.startswith("Hello Maya")
    assert (reply.text, reply.variant) == ("the long body", Variant.UNAUTHENTICATED)
    assert reply.authentication == {"dmarc": "fail"}


@pytest.mark.django_db
def test_every_thread_of_the_owner_is_read(client: AgentMailClient, provider: Provider, hooks: Hooks) -> None:
    send(OURS, "t-1")
    hooks.store(received("<2@x.example>", "t-2", in_reply_to=OURS))
    hooks.store(received("<3@x.example>", "t-3", in_reply_to=OURS, event_type="message.received.spam"))
    provider.play(
        say(200, {"messages": [live("<5@x.example>", 5)]}), say(200, {"messages": [live("<6@x.example>", 6)]})
    )

    view = read_thread(OWNER, client=client)

    assert sorted(r.path.split("?")[0].rpartition("/")[2] for r in provider.received) == ["t-1", "t-2"]
    assert view.is_live is True
    assert {m.message_id for m in view.messages} == {
        OURS,
        "<2@x.example>",
        "<3@x.example>",
        "<5@x.example>",
        "<6@x.example>",
    }


@pytest.mark.django_db
def test_a_provider_that_does_not_answer_leaves_the_stored_mail(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    send(OURS, "t-1")
    hooks.store(received("<2@x.example>", "t-1"), NOW + MINUTE)
    expected = read_stored_thread(OWNER)

    for answer in (reset(), say(500, {}), say(404, {"name": "NotFound"}), say(200, b"<html>")):
        provider.play(answer)
        assert read_thread(OWNER, client=client) == expected

    assert {m.message_id for m in expected.messages} == {OURS, "<2@x.example>"}
    assert (expected.is_live, expected.has_thread) == (False, True)


@pytest.mark.django_db
def test_an_automatic_mail_that_only_the_provider_has_is_known_as_such(
    client: AgentMailClient, provider: Provider
) -> None:
    send(OURS, "t-1")
    provider.play(say(200, {"messages": [live("<2@x.example>", 1, headers={"Auto-Submitted": "auto-replied"})]}))

    assert read_thread(OWNER, client=client).messages[1].automatic is AutomaticKind.AUTOREPLY


@pytest.mark.django_db(transaction=True)
def test_a_pooled_connection_is_given_back_while_the_provider_is_asked(
    client: AgentMailClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_committed()
    held: list[bool] = []
    reader: Any = connections["default"]
    reader.close()
    # Django pools connections only when it does not keep them itself.
    monkeypatch.setitem(reader.settings_dict, "CONN_MAX_AGE", 0)
    monkeypatch.setitem(reader.settings_dict["OPTIONS"], "pool", {"min_size": 1, "max_size": 2})

    def look(conversation: Conversation) -> None:
        held.append(reader.connection is not None)
        say(200, {"messages": []})(conversation)

    provider.play(look)
    try:
        view = read_thread(OWNER, client=client)
    finally:
        reader.close()
        reader.close_pool()

    assert (held, view.is_live) == ([False], True)


def send_committed() -> None:

    with transaction.atomic():
        send(OURS, "t-1")


@pytest.mark.django_db
def test_a_transcript_names_who_wrote_what_when(hooks: Hooks) -> None:
    send(OURS, "t-1")
    hooks.store(
        received(
            "<2@x.example>",
            "t-1",
            event_type="message.received.unauthenticated",
            timestamp="2026-11-24T11:05:00+01:00",
            attachments=[{"attachment_id": "a", "filename": "w9.pdf", "size": 5}],
            headers={"Auto-Submitted": "auto-replied"},
            extracted_text="I am on annual leave.\n",
        ),
        NOW + 9 * MINUTE,
    )

    assert render_transcript(read_stored_thread(OWNER)) == (
        "From: agent@offload.example\n"
        "Date: 2026-11-24 10:00 UTC\n"
        "Subject: Your W-9 form\n"
        "\n"
        "Hello Maya,\n\ncould you send us your W-9?\n\nAda\n"
        "\n"
        "From: Maya Chen <maya@northwind.example>\n"
        "Date: 2026-11-24 10:05 UTC\n"
        "Subject: Re: Your W-9 form\n"
        "Note: unauthenticated, automatic mail (out of office)\n"
        "Attachments: w9.pdf\n"
        "\n"
        "I am on annual leave."
    )


@pytest.mark.django_db
def test_the_transcript_of_nothing_is_empty() -> None:
    assert render_transcript(read_stored_thread(OWNER)) == ""
