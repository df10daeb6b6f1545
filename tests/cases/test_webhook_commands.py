"""`webhook_settings`, `resend_webhooks` and `resume_webhooks`, run as an operator runs them."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from cases.models import Client
from tests.webhooks.deliveries import record
from webhooks.models import Delivery, DeliveryPolicy, Endpoint, SigningSecret
from webhooks.outcomes import Answered
from webhooks.policies import change_policy, read_terms
from webhooks.services import claim_delivery, finish_attempt

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")


@pytest.fixture
def acme() -> Client:
    return Client.objects.create(name="Acme")


def run(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def end(client: Client, event_id: str, status: int = 500) -> Delivery:
    now = timezone.now()
    delivery = record(now, event_id, subscriber=client.pk)
    claimed = claim_delivery(delivery.id, now, 60)
    if claimed is not None:
        finish_attempt(claimed, Answered(status, b"", 1), now)
    delivery.refresh_from_db()
    return delivery


def test_without_an_option_the_settings_are_shown_and_nothing_changes(acme: Client) -> None:
    assert run("webhook_settings", "--client", "Acme") == (
        "Client:   Acme\nSigned:   no\nRetried:  no, one attempt for each event\n"
    )
    assert not DeliveryPolicy.objects.exists()


def test_signing_and_retries_are_turned_on_and_the_secret_is_printed_once(acme: Client) -> None:
    printed = run("webhook_settings", "--client", "Acme", "--sign", "--retry")

    [secret] = SECRET.findall(printed)
    assert "Signed:   yes\nRetried:  yes\n" in printed
    terms = read_terms(acme.pk, timezone.now())
    assert (terms.secrets, terms.retries) == ((secret,), True)
    assert not SECRET.search(run("webhook_settings", "--client", "Acme", "--sign"))
    run("webhook_settings", "--client", "Acme", "--no-sign", "--no-retry")
    assert read_terms(acme.pk, timezone.now()).secrets == ()


def test_a_rotation_keeps_the_secret_before_for_the_hours_given(acme: Client) -> None:
    [first] = SECRET.findall(run("webhook_settings", "--client", str(acme.pk), "--sign"))

    [second] = SECRET.findall(run("webhook_settings", "--client", "Acme", "--rotate-secret", "--keep-hours", "2"))

    now = timezone.now()
    assert read_terms(acme.pk, now).secrets == (second, first)
    assert read_terms(acme.pk, now + timedelta(hours=2)).secrets == (second,)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--client", "Nobody", "--sign"), 'There is no client called "Nobody"'),
        (("--client", "Acme", "--keep-hours", "1"), "--keep-hours belongs to --rotate-secret."),
        (("--client", "Acme", "--rotate-secret", "--keep-hours", "721"), "--keep-hours must be from 0 to 720."),
        (("--client", "Acme", "--rotate-secret", "--keep-hours", "nan"), "--keep-hours must be from 0 to 720."),
    ],
)
def test_a_mistake_gets_a_sentence_and_changes_nothing(acme: Client, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError) as error:
        run("webhook_settings", *arguments)

    assert str(error.value).startswith(sentence)
    assert not DeliveryPolicy.objects.exists()
    assert not SigningSecret.objects.exists()


def test_a_dry_run_says_what_would_be_resent_and_the_real_one_resends_it(acme: Client) -> None:
    failed = end(acme, "evt_failed")
    end(acme, "evt_delivered", 200)

    told = run("resend_webhooks", "--client", "Acme", "--dry-run", "--since", "24")

    assert told == (
        "1 webhook of Acme would be sent again.\n  evt_failed  failed  example.com  The endpoint answered 500.\n"
    )
    failed.refresh_from_db()
    assert failed.state == "failed"
    assert run("resend_webhooks", "--client", "Acme", "--since", "24") == "1 webhook of Acme will be sent again.\n"
    failed.refresh_from_db()
    assert failed.state == "pending"
    assert failed.asked_by.endswith("command)")


def test_what_failed_before_since_stays(acme: Client) -> None:
    end(acme, "evt_failed")
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"

    assert run("resend_webhooks", "--client", "Acme", "--since", tomorrow) == (
        "0 webhooks of Acme will be sent again.\n"
    )


@pytest.mark.parametrize("since", ["soon", "-1", "99999999999999", "2026-13-01"])
def test_a_since_that_is_no_time_is_refused(acme: Client, since: str) -> None:
    failed = end(acme, "evt_failed")

    with pytest.raises(CommandError, match="--since must be hours"):
        run("resend_webhooks", "--client", "Acme", f"--since={since}")

    failed.refresh_from_db()
    assert failed.state == "failed"


def test_a_paused_endpoint_is_shown_and_resumed(acme: Client) -> None:
    change_policy(acme.pk, retries=True, by="ana", now=timezone.now())
    end(acme, "evt_gone", 410)
    end(acme, "evt_waiting")
    endpoint = Endpoint.objects.get()

    shown = run("webhook_settings", "--client", "Acme")

    assert f"PAUSED  https://example.com (endpoint {endpoint.pk})" in shown
    assert "1 waiting: The endpoint answered 410." in shown
    command = f"resume_webhooks --endpoint {endpoint.pk}"
    assert command in shown
    assert run(*command.split()) == "Resumed https://example.com; 1 waiting.\n"
    assert Endpoint.objects.get().paused_at is None
    with pytest.raises(CommandError, match="is paused"):
        run(*command.split())
    assert run("resume_webhooks", "--client", "Acme") == "None of the client's endpoints is paused.\n"
