"""Replies whose webhook was lost become events of their case, once, by schedule and by command."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from agentmail.client import AgentMailClient
from agentmail.models import InboundEmail, InboxCursor
from cases.models import Case, CaseEvent
from cases.reconcile import reconcile_case, reconcile_mail
from tests.agentmail.provider import Provider, say
from tests.cases.factories import CaseFactory
from tests.cases.mail import INBOX, THREAD, store_reply, store_sent_mail

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def client(provider: Provider) -> AgentMailClient:
    return AgentMailClient(provider.url, "am_key", connect_timeout=1, read_timeout=1, deadline=2)


@pytest.fixture
def case() -> Case:
    case = CaseFactory.create(status="RUNNING", attempt_count=1)
    store_sent_mail(case, "Could you send us your W-9?", NOW - timedelta(days=2))
    return case


def message(name: str = "lost", **members: Any) -> dict[str, Any]:
    return {
        "inbox_id": INBOX,
        "thread_id": THREAD,
        "message_id": f"<{name}@northstar.example>",
        "labels": ["received"],
        "timestamp": (NOW - timedelta(hours=20)).isoformat(),
        "from": "Maya Chen <maya@vendor.example>",
        "to": [INBOX],
        "subject": "Re: Your W-9",
        "text": "Here it is.",
        "attachments": [{"attachment_id": "att-1", "filename": "w9.pdf", "content_type": "application/pdf", "size": 9}],
    } | members


def list_of(*messages: dict[str, Any]) -> Any:
    return say(200, {"count": len(messages), "messages": list(messages)})


def list_events(case: Case) -> list[tuple[str, str]]:
    return list(CaseEvent.objects.filter(case=case).order_by("id").values_list("kind", "key"))


def run(**options: Any) -> str:
    out = io.StringIO()
    with time_machine.travel(NOW, tick=False):
        call_command("reconcile_mail", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def at_provider(provider: Provider, settings: Any) -> Provider:
    """The command's own client talks to the scripted provider."""
    settings.AGENTMAIL_BASE_URL = provider.url
    return provider


def test_a_lost_reply_becomes_the_event_and_the_attachment_that_its_webhook_would_have_made(
    case: Case, client: AgentMailClient, provider: Provider
) -> None:
    provider.play(list_of(message()), say(200, message()))

    (found,) = reconcile_mail(client, NOW)

    assert (found.stored, found.matched) == (1, 1)
    assert list_events(case) == [("REPLY_RECEIVED", f"reply:{case.id}:{INBOX}:<lost@northstar.example>")]
    assert case.attachments.get().name == "w9.pdf"
    assert InboxCursor.objects.get().sound_until == NOW


def test_the_next_pass_begins_where_the_last_one_left_off(
    case: Case, client: AgentMailClient, provider: Provider
) -> None:
    provider.play(list_of(), list_of())
    reconcile_mail(client, NOW)

    (found,) = reconcile_mail(client, NOW + timedelta(minutes=10))

    assert found.since == NOW - timedelta(hours=6)


def test_a_pass_that_meets_a_provider_that_is_away_keeps_its_place(
    case: Case, client: AgentMailClient, provider: Provider
) -> None:
    provider.play(list_of(), say(503, {"message": "away"}))
    reconcile_mail(client, NOW)

    (found,) = reconcile_mail(client, NOW + timedelta(hours=9))

    assert "503" in found.reason
    assert InboxCursor.objects.get().sound_until == NOW


def test_a_reply_to_a_case_that_has_ended_stands_on_the_timeline_and_wakes_nobody(
    case: Case, client: AgentMailClient, provider: Provider
) -> None:
    Case.objects.update(status="COMPLETED", result_status="goal_achieved")
    provider.play(list_of(message()), say(200, message()))

    reconcile_mail(client, NOW)

    assert CaseEvent.objects.get().status == "done"


def test_the_whole_thread_of_one_case_is_read_once(case: Case, client: AgentMailClient, provider: Provider) -> None:
    known = store_reply(case, "First.", NOW - timedelta(hours=30))
    thread = [message("a"), message("b"), message(message_id=known.message_id)]
    provider.play(list_of(*thread), list_of(*thread))

    first = reconcile_case(client, case.id, NOW, is_dry_run=False)
    second = reconcile_case(client, case.id, NOW, is_dry_run=False)

    assert (first.missed, first.stored, first.is_whole) == (2, 2, True)
    assert (second.missed, second.stored) == (0, 0)
    assert [kind for kind, _ in list_events(case)] == ["REPLY_RECEIVED"] * 2


def test_the_command_goes_back_so_many_hours_and_says_what_it_found(case: Case, at_provider: Provider) -> None:
    at_provider.play(list_of(message()), say(200, message()))

    assert run(since=24) == (
        f"{INBOX}: 1 message since 2026-11-23 10:00 UTC, 1 missing here, 1 stored, 1 of them for a case.\n"
    )
    assert len(list_events(case)) == 1
    # Only the regular pass knows that nothing is missing before it.
    assert InboxCursor.objects.count() == 0


def test_a_dry_run_of_the_command_changes_nothing(case: Case, at_provider: Provider) -> None:
    at_provider.play(list_of(message()))

    assert run(since=24, dry_run=True) == f"{INBOX}: 1 message since 2026-11-23 10:00 UTC, 1 missing here.\n"
    assert InboundEmail.objects.count() == 0


def test_the_command_looks_at_one_case(case: Case, at_provider: Provider) -> None:
    at_provider.play(list_of(message()))

    assert run(case=str(case.id)) == f"Case {case.id}: 1 message missing, 1 stored.\n"


def test_the_command_without_arguments_is_the_regular_pass(case: Case, at_provider: Provider) -> None:
    at_provider.play(list_of())

    assert run() == f"{INBOX}: 0 messages since 2026-11-21 04:00 UTC, 0 missing here, 0 stored, 0 of them for a case.\n"
    assert InboxCursor.objects.get().sound_until == NOW


def test_a_provider_that_is_away_makes_the_command_fail_with_a_sentence(case: Case, at_provider: Provider) -> None:
    at_provider.play(say(503, {"message": "away"}))

    with pytest.raises(CommandError, match="run this again"):
        run(since=24)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"since": 0}, "above 0"),
        ({"since": -1}, "above 0"),
        ({"since": float("nan")}, "above 0"),
        ({"since": 9000}, "at most 8760"),
        ({"dry_run": True}, "how far back"),
        ({"case": "no-id"}, "is not a case id"),
        ({"case": str(uuid.UUID(int=7))}, "There is no case"),
    ],
)
def test_wrong_arguments_are_refused_with_their_remedy(
    options: dict[str, Any], says: str, at_provider: Provider
) -> None:
    with pytest.raises(CommandError, match=says):
        run(**options)

    assert at_provider.received == []


def test_hours_that_are_no_number_are_refused_with_an_example(at_provider: Provider) -> None:
    with pytest.raises(CommandError, match='"yesterday" must be a number of hours, such as 24'):
        call_command("reconcile_mail", "--since", "yesterday")

    assert at_provider.received == []
