"""Connecting to the account: what is missing is made, what differs is mended, and a second run changes nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from pytest_django.fixtures import Settings

from agentmail.account import AgentMailAccount
from agentmail.connecting import look_at_account, note_account
from agentmail.models import AccountCheck, ProviderEvent, RegisteredWebhook
from agentmail.sandbox.models import Inbox, Webhook
from agentmail.subscription import EVENT_TYPES
from tests.agentmail.conftest import NOW, received, sign
from tests.agentmail.provider import Provider, reset, say, stay_silent
from tests.agentmail.sandbox.process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "acme@sandbox.example"
URL = "https://offload.example.com/agentmail/webhook"
DECOY = "http://127.0.0.1:9/somebody-else"


@pytest.fixture
def sandbox(settings: Settings) -> Iterator[SandboxProcess]:
    """A whole account over HTTP, with a webhook of somebody else's, and settings without any secret."""
    process = SandboxProcess(DECOY)
    settings.AGENTMAIL_BASE_URL = f"{process.url}/agentmail/v0"
    settings.AGENTMAIL_API_KEY = "am_test_key"
    settings.AGENTMAIL_INBOX_ID = ADDRESS
    settings.AGENTMAIL_WEBHOOK_SECRETS = []
    settings.OFFLOAD_PUBLIC_URL = "https://offload.example.com"
    yield process
    process.close()


def connect(*arguments: str) -> list[str]:
    """Returns the lines that the command prints."""
    output = StringIO()
    call_command("connect_agentmail", *arguments, stdout=output)
    return output.getvalue().splitlines()


def list_webhooks() -> list[dict[str, Any]]:
    """What the provider has, without its times."""
    names = ("webhook_id", "url", "secret", "enabled", "event_types", "inbox_ids")
    return [{name: getattr(webhook, name) for name in names} for webhook in Webhook.objects.order_by("id")]


def find_ours() -> Webhook:
    return Webhook.objects.get(url=URL)


def deliver(secret: str, now: datetime) -> int:
    """Returns the status of a webhook that is signed with the secret."""
    body = json.dumps(received()).encode()
    headers = sign(body, at=now, secret=secret)
    answer = Client().post("/webhook", body, content_type="application/json", headers=headers)
    return int(answer.status_code)


def test_inbox_and_webhook_are_made_and_the_secret_is_stored(sandbox: SandboxProcess) -> None:
    lines = connect()

    assert lines == [
        f"done: create the inbox {ADDRESS}",
        f"done: register the webhook {URL} and store its secret",
    ]
    assert Inbox.objects.filter(inbox_id=ADDRESS).exists()
    ours = find_ours()
    assert (ours.enabled, tuple(ours.event_types), ours.inbox_ids) == (True, EVENT_TYPES, [ADDRESS])
    stored = RegisteredWebhook.objects.get()
    assert (stored.webhook_id, stored.url, stored.secret) == (ours.webhook_id, URL, ours.secret)
    assert ours.secret not in "".join(lines)


def test_a_second_run_changes_nothing(sandbox: SandboxProcess) -> None:
    connect()
    before = list_webhooks(), list(RegisteredWebhook.objects.values()), Inbox.objects.count()

    assert connect() == [f"AgentMail takes the key; {ADDRESS} and its webhook to {URL} are as they should be."]

    assert (list_webhooks(), list(RegisteredWebhook.objects.values()), Inbox.objects.count()) == before


def test_a_dry_run_says_what_would_be_done_and_does_nothing(sandbox: SandboxProcess) -> None:
    before = list_webhooks(), Inbox.objects.count()

    assert connect("--dry-run") == [
        f"would create the inbox {ADDRESS}",
        f"would register the webhook {URL} and store its secret",
    ]

    assert (list_webhooks(), Inbox.objects.count()) == before
    assert not RegisteredWebhook.objects.exists()
    assert not AccountCheck.objects.exists()


def test_a_webhook_that_is_signed_with_the_stored_secret_is_taken_without_a_restart(
    sandbox: SandboxProcess, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "tests.agentmail.urls"
    now = datetime.now(NOW.tzinfo)
    other = "whsec_" + base64.b64encode(b"somebody-else-s-secret!!").decode()
    assert deliver(other, now) == 401
    connect()

    assert deliver(other, now) == 401
    assert ProviderEvent.objects.count() == 0
    assert deliver(find_ours().secret, now) == 200
    assert ProviderEvent.objects.count() == 1


def test_a_webhook_that_was_disabled_narrowed_and_turned_away_is_mended(sandbox: SandboxProcess) -> None:
    connect()
    ours = find_ours()
    ours.enabled, ours.event_types, ours.inbox_ids = False, ["message.received", "message.sent"], ["x@sandbox.example"]
    ours.save()

    assert connect() == [
        f"done: mend the webhook {ours.webhook_id}: enable it, set its events, add the inbox {ADDRESS}"
    ]

    ours.refresh_from_db()
    assert ours.enabled
    # What somebody had added stays.
    assert ours.event_types == ["message.received", "message.sent", *EVENT_TYPES[1:]]
    assert ours.inbox_ids == ["x@sandbox.example", ADDRESS]


def test_a_webhook_that_was_deleted_at_the_provider_is_registered_again_and_its_secret_replaces_the_old_one(
    sandbox: SandboxProcess,
) -> None:
    connect()
    lost = find_ours()
    lost.delete()

    assert connect() == [f"done: register the webhook {URL} and store its secret"]

    stored = RegisteredWebhook.objects.get()
    assert stored.secret == find_ours().secret != lost.secret
    assert stored.registrations == 2
    assert find_ours().client_id != lost.client_id


def test_a_run_that_ended_before_it_stored_the_secret_is_finished_by_the_next_one(sandbox: SandboxProcess) -> None:
    connect()
    RegisteredWebhook.objects.all().delete()

    assert connect() == [f"done: store the secret of the webhook {find_ours().webhook_id}"]

    assert RegisteredWebhook.objects.get().secret == find_ours().secret


def test_with_another_url_the_new_webhook_is_registered_and_only_our_own_old_one_is_deleted(
    sandbox: SandboxProcess, settings: Settings
) -> None:
    connect()
    old = find_ours()
    settings.OFFLOAD_PUBLIC_URL = "https://new.example.com/"

    assert connect() == [
        "done: register the webhook https://new.example.com/agentmail/webhook and store its secret",
        f"done: delete the webhook {old.webhook_id}, which leads to {URL}",
    ]

    assert [webhook["url"] for webhook in list_webhooks()] == [DECOY, "https://new.example.com/agentmail/webhook"]


def test_a_revoked_key_is_told_and_changes_nothing(sandbox: SandboxProcess, settings: Settings) -> None:
    connect()
    before = list_webhooks()
    settings.AGENTMAIL_API_KEY = "am_revoked"

    with pytest.raises(CommandError, match=r"^AgentMail refuses the key \(401 unknown_api_key .*AGENTMAIL_API_KEY"):
        connect()

    assert list_webhooks() == before


def test_an_address_that_is_somebody_else_s_is_told(provider: Provider, settings: Settings) -> None:
    point_at(provider, settings)
    missing = {"name": "NotFoundError", "code": "not_found", "message": "Inbox not found"}
    taken = {"name": "IsTakenError", "code": "is_taken", "message": "The inbox is taken"}
    provider.play(say(404, missing), say(200, {"count": 0, "webhooks": []}), say(403, taken))

    with pytest.raises(CommandError, match=r"could not create the inbox acme@sandbox\.example: .*AGENTMAIL_INBOX_ID"):
        connect()

    assert [request.method for request in provider.received] == ["GET", "GET", "POST"]


def test_a_key_that_may_not_read_spam_is_told_what_it_lacks(provider: Provider, settings: Settings) -> None:
    point_at(provider, settings)
    inbox = {"inbox_id": ADDRESS, "email": ADDRESS}
    refusal = {"name": "ForbiddenError", "code": "missing_permission", "message": "label_spam_read is needed"}
    provider.play(say(200, inbox), say(200, {"count": 0, "webhooks": []}), say(403, refusal))

    with pytest.raises(CommandError, match=r"may not register the webhook .*label_spam_read is needed.*spam, blocked"):
        connect()

    assert not RegisteredWebhook.objects.exists()


def test_an_answer_that_is_lost_after_the_webhook_was_made_leads_to_no_second_webhook(sandbox: SandboxProcess) -> None:
    body = {
        "url": URL,
        "event_types": list(EVENT_TYPES),
        "inbox_ids": [ADDRESS],
        "client_id": "offload.main.webhook-1.0123456789abcdef",
    }
    headers = {"Authorization": "Bearer am_test_key"}
    requests.post(f"{sandbox.url}/agentmail/v0/webhooks", json=body, headers=headers, timeout=10)

    assert connect()[-1] == f"done: store the secret of the webhook {find_ours().webhook_id}"

    assert Webhook.objects.filter(url=URL).count() == 1


def test_a_provider_that_does_not_answer_is_told_within_the_deadline(provider: Provider, settings: Settings) -> None:
    point_at(provider, settings)
    provider.play(stay_silent(provider))
    account = AgentMailAccount(provider.url, "am_test_key", deadline_s=0.2)

    look = look_at_account(account)

    assert [verdict.is_known for verdict in look.judge()] == [False, False, False]
    assert len(provider.received) == 1


def test_a_broken_connection_is_told_with_the_remedy(provider: Provider, settings: Settings) -> None:
    point_at(provider, settings)
    provider.play(reset())

    with pytest.raises(CommandError, match=r"did not answer when asked to read inbox and webhooks.*AGENTMAIL_BASE_URL"):
        connect()


def test_without_a_public_url_nothing_is_done(sandbox: SandboxProcess, settings: Settings) -> None:
    settings.OFFLOAD_PUBLIC_URL = ""
    settings.OFFLOAD_SANDBOX = False

    with pytest.raises(CommandError, match=r"^OFFLOAD_PUBLIC_URL is not set"):
        connect()

    assert [webhook["url"] for webhook in list_webhooks()] == [DECOY]


def test_what_the_provider_does_not_tell_keeps_its_last_verdict(sandbox: SandboxProcess, settings: Settings) -> None:
    connect()
    find_ours().delete()
    note_account(look_at_account(AgentMailAccount.from_settings()), NOW)
    settings.AGENTMAIL_BASE_URL = "http://127.0.0.1:9/v0"

    note_account(look_at_account(AgentMailAccount.from_settings()), NOW)

    assert list(AccountCheck.objects.order_by("part").values_list("part", "problem", "is_known")) == [
        ("inbox", "", False),
        ("key", "", False),
        ("webhook", f"no webhook leads to {URL}", False),
    ]


def point_at(provider: Provider, settings: Settings) -> None:
    settings.AGENTMAIL_BASE_URL = provider.url
    settings.AGENTMAIL_API_KEY = "am_test_key"
    settings.AGENTMAIL_INBOX_ID = ADDRESS
    settings.AGENTMAIL_WEBHOOK_SECRETS = []
    settings.OFFLOAD_PUBLIC_URL = "https://offload.example.com"


def test_a_stored_secret_that_cannot_be_read_is_a_500_so_that_the_webhook_comes_again(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.agentmail.urls"
    settings.AGENTMAIL_WEBHOOK_SECRETS = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE agentmail_registeredwebhook RENAME TO away")

        assert deliver("whsec_YQ==", datetime.now(NOW.tzinfo)) == 500

        transaction.set_rollback(True)
