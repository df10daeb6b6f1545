"""Looking through an inbox for mail that no webhook brought: all of it, each mail once, going on where it broke off."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from agentmail.catching_up import Findings, catch_up_inbox, get_start, keep_progress, list_inboxes
from agentmail.client import AgentMailClient
from agentmail.models import InboundEmail, InboxCursor, ProviderEvent
from tests.agentmail.conftest import INBOX, NOW, OWNER, Hooks, received, send
from tests.agentmail.provider import Provider, say

pytestmark = pytest.mark.django_db

SINCE = NOW - timedelta(hours=24)


@pytest.fixture
def client(provider: Provider) -> AgentMailClient:
    return AgentMailClient(provider.url, "am_key", connect_timeout=1, read_timeout=1, deadline=2)


def look(client: AgentMailClient, hooks: Hooks, **changes: Any) -> Findings:
    values: dict[str, Any] = {"client": client, "on_reply": hooks.replies.append, "now": NOW, "seconds": 30.0}
    return catch_up_inbox(INBOX, SINCE, **(values | changes))


def message(name: str, hours_ago: float = 1, **members: Any) -> dict[str, Any]:
    """A message as the provider tells it, with its bodies."""
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    made: dict[str, Any] = received(f"<{name}@northwind.example>", timestamp=at, **members)["message"]
    return made


def listing(*messages: dict[str, Any], token: str = "") -> dict[str, Any]:
    """A page of the inbox's list, which has no bodies."""
    bare = [{key: value for key, value in m.items() if key not in ("text", "extracted_text")} for m in messages]
    return {"count": len(bare), "messages": bare} | ({"next_page_token": token} if token else {})


def test_mail_that_no_webhook_brought_is_fetched_stored_and_handed_over(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    send("<out@offload.example>", "t-1")
    lost = message("lost")
    provider.play(say(200, listing(lost)), say(200, lost))

    found = look(client, hooks)

    assert (found.listed, found.missed, found.stored, found.matched, found.reason) == (1, 1, 1, 1, "")
    assert found.sound_until == NOW
    (reply,) = hooks.replies
    assert (reply.owner, reply.message_id) == (OWNER, "<lost@northwind.example>")
    assert InboundEmail.objects.get().text == "Here it is."
    assert provider.received[1].path == "/v0/inboxes/agent%40offload.example/messages/%3Clost%40northwind.example%3E"


def test_the_whole_inbox_is_asked_for_oldest_first_with_what_the_provider_hides(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    provider.play(say(200, listing(token="p/2")), say(200, listing()))

    look(client, hooks)

    first, second = (parse_qs(urlsplit(request.path).query) for request in provider.received)
    assert first == {
        "after": ["2026-11-23T10:00:00+00:00"],
        "ascending": ["true"],
        "limit": ["100"],
        "include_unauthenticated": ["true"],
        "include_spam": ["true"],
        "include_blocked": ["true"],
        "include_trash": ["true"],
    }
    assert second == first | {"page_token": ["p/2"]}


def test_known_mail_and_our_own_cost_no_second_call(client: AgentMailClient, provider: Provider, hooks: Hooks) -> None:
    hooks.store(received("<known@northwind.example>"))
    ours = message("ours", labels=["sent"])
    provider.play(say(200, listing(message("known"), ours)))

    found = look(client, hooks)

    assert (found.listed, found.missed, found.stored) == (2, 0, 0)
    assert len(provider.received) == 1


def test_an_inbox_that_the_settings_spell_in_capitals_is_the_same_one(
    client: AgentMailClient, provider: Provider, hooks: Hooks, settings: Any
) -> None:
    """Else every look would fetch all mail of six hours again, and in a busy inbox never come to its end."""
    settings.AGENTMAIL_INBOX_ID = INBOX.upper()
    hooks.store(received("<known@northwind.example>"))
    provider.play(say(200, listing(message("known"))))

    found = catch_up_inbox(INBOX.upper(), SINCE, client=client, on_reply=hooks.replies.append, now=NOW, seconds=30.0)

    assert (found.listed, found.missed) == (1, 0)
    assert len(provider.received) == 1


def test_a_message_that_is_listed_without_its_thread_is_fetched_all_the_same(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    lost = message("lost")
    provider.play(say(200, listing({key: lost[key] for key in lost if key != "thread_id"})), say(200, lost))

    assert look(client, hooks).stored == 1


def test_a_second_look_and_the_webhook_that_comes_after_all_change_nothing(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    send("<out@offload.example>", "t-1")
    lost = message("lost")
    provider.play(say(200, listing(lost)), say(200, lost), say(200, listing(lost)))
    look(client, hooks)

    again = look(client, hooks)
    hooks.store(received("<lost@northwind.example>"))

    assert (again.missed, again.stored) == (0, 0)
    assert len(hooks.replies) == 1
    assert InboundEmail.objects.count() == 1


def test_mail_without_an_owner_is_kept_waiting_as_a_webhook_keeps_it(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    lost = message("stranger", thread_id="t-9")
    provider.play(say(200, listing(lost)), say(200, lost))

    found = look(client, hooks)

    assert (found.stored, found.matched) == (1, 0)
    assert InboundEmail.objects.get().owner is None


def test_spam_that_was_missed_is_stored_and_not_handed_over(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    send("<out@offload.example>", "t-1")
    spam = message("spam", labels=["received", "spam"])
    provider.play(say(200, listing(spam)), say(200, spam))

    look(client, hooks)

    assert InboundEmail.objects.get().variant == "spam"
    assert hooks.replies == []


def test_a_dry_run_counts_and_stores_nothing(client: AgentMailClient, provider: Provider, hooks: Hooks) -> None:
    provider.play(say(200, listing(message("lost"))))

    found = look(client, hooks, is_dry_run=True)

    assert (found.missed, found.stored) == (1, 0)
    assert (InboundEmail.objects.count(), ProviderEvent.objects.count()) == (0, 0)
    assert len(provider.received) == 1


def test_a_list_that_breaks_off_is_sound_up_to_its_last_whole_page(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    lost = message("lost", hours_ago=20)
    provider.play(say(200, listing(lost, token="2")), say(200, lost), say(503, {"message": "away"}))

    found = look(client, hooks)

    assert (found.stored, found.sound_until) == (1, NOW - timedelta(hours=20))
    assert "503" in found.reason


def test_a_list_that_breaks_off_newest_first_is_looked_through_again_from_its_beginning(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    newer, older = message("newer", hours_ago=1), message("older", hours_ago=2)
    provider.play(
        say(200, listing(newer, older, token="2")), say(200, newer), say(200, older), say(503, {"message": "away"})
    )

    assert look(client, hooks).sound_until is None


def test_one_message_that_cannot_be_read_holds_back_the_place_and_not_the_others(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    broken, good = message("broken", hours_ago=5), message("good", hours_ago=4)
    provider.play(say(200, listing(broken, good)), say(500, {"message": "broken"}), say(200, good))

    found = look(client, hooks)

    assert (found.missed, found.stored, found.sound_until) == (2, 1, NOW - timedelta(hours=5))
    assert InboundEmail.objects.get().message_id == "<good@northwind.example>"


def test_a_message_that_cannot_be_read_for_three_days_holds_nothing_back_any_more(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    provider.play(say(200, listing(message("broken", hours_ago=80))), say(500, {"message": "broken"}))

    assert look(client, hooks).sound_until == NOW - timedelta(days=3)


def test_three_failed_reads_in_a_row_end_the_look_at_a_provider_that_is_away(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    messages = [message(str(number), hours_ago=10 - number) for number in range(5)]
    provider.play(say(200, listing(*messages)), *[say(503, {"message": "away"})] * 6)

    found = look(client, hooks)

    # The fifth call asks for a list: the provider does not give that either.
    assert len(provider.received) == 5
    assert (found.stored, found.sound_until) == (0, SINCE)


def test_broken_messages_in_a_row_are_passed_over_while_the_provider_answers(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    broken = [message(f"broken-{number}", hours_ago=10 - number) for number in range(3)]
    good = message("good", hours_ago=1)
    provider.play(
        say(200, listing(*broken, good)), *[say(500, {"message": "broken"})] * 3, say(200, listing()), say(200, good)
    )

    found = look(client, hooks)

    assert InboundEmail.objects.get().message_id == "<good@northwind.example>"
    assert (found.stored, found.sound_until) == (1, NOW - timedelta(hours=10))


def test_a_message_that_is_gone_by_now_is_passed_over(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    provider.play(say(200, listing(message("gone"))), say(404, {"message": "no such message"}))

    found = look(client, hooks)

    assert (found.stored, found.reason, found.sound_until) == (0, "", NOW)


def test_without_time_no_call_is_begun_and_the_place_is_kept(
    client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    provider.play(say(200, listing(message("lost"))))

    found = look(client, hooks, seconds=0)

    assert len(provider.received) == 1
    assert (found.stored, found.sound_until) == (0, SINCE)
    assert "time" in found.reason


@pytest.mark.parametrize(
    "answer",
    [{}, {"messages": "none"}, {"messages": [], "next_page_token": 7}],
)
def test_an_answer_that_is_no_list_finds_out_nothing(
    answer: dict[str, Any], client: AgentMailClient, provider: Provider, hooks: Hooks
) -> None:
    provider.play(say(200, answer))

    found = look(client, hooks)

    assert found.reason
    assert found.sound_until == SINCE


def test_an_inbox_is_listed_from_three_days_back_at_first_and_then_from_six_hours_before_its_place() -> None:
    assert get_start(INBOX, NOW) == NOW - timedelta(days=3, hours=6)

    keep_progress(Findings(INBOX, SINCE, sound_until=NOW), NOW)

    assert get_start(INBOX, NOW + timedelta(days=9)) == NOW - timedelta(hours=6)


def test_a_place_ahead_of_the_clock_is_not_believed() -> None:
    """A worker whose clock was a day ahead left it; what arrives until then would never be listed."""
    keep_progress(Findings(INBOX, SINCE, sound_until=NOW + timedelta(days=1)), NOW)

    assert get_start(INBOX, NOW) == NOW - timedelta(hours=6)


@pytest.mark.parametrize("later", [None, NOW - timedelta(hours=1)])
def test_the_place_never_moves_back(later: datetime | None) -> None:
    keep_progress(Findings(INBOX, SINCE, sound_until=NOW), NOW)

    keep_progress(Findings(INBOX, SINCE, sound_until=later, reason="away"), NOW)

    cursor = InboxCursor.objects.get()
    assert (cursor.sound_until, cursor.last_error) == (NOW, "away")


def test_every_inbox_that_was_ever_written_from_is_looked_at_once() -> None:
    for number, inbox in enumerate(("old@offload.example", "a@offload.example", INBOX, "old@offload.example")):
        send(f"<out-{number}@offload.example>", f"t-{number}", inbox_id=inbox)

    assert list_inboxes() == [INBOX, "a@offload.example", "old@offload.example"]
