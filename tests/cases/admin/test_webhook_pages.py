"""How staff sign, retry and resend a client's webhooks."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from cases.models import Client
from tests.cases.admin.conftest import sign_in
from tests.webhooks.deliveries import record
from webhooks.models import Delivery, DeliveryPolicy, SigningSecret
from webhooks.outcomes import Answered
from webhooks.policies import change_policy, read_terms
from webhooks.services import claim_delivery, finish_attempt

pytestmark = pytest.mark.django_db
EVERYTHING = ("cases.view_client", "webhooks.view_delivery", "webhooks.rotate_secret", "webhooks.resend_delivery")
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")


@pytest.fixture
def client_of_ours() -> Client:
    return Client.objects.create(name="Acme")


def url(client: Client, what: str = "webhooks") -> str:
    return reverse(f"admin:cases_client_{what}", args=[client.pk])


def fail_one(client: Client) -> Delivery:
    now = timezone.now()
    delivery = record(now, subscriber=client.pk)
    claimed = claim_delivery(delivery.id, now, 60)
    assert claimed is not None
    finish_attempt(claimed, Answered(500, b"", 1), now)
    return delivery


def test_turning_signing_on_shows_the_secret_once(client_of_ours: Client) -> None:
    browser = sign_in("ana", *EVERYTHING)
    assert "They are sent" not in browser.get(url(client_of_ours)).content.decode()

    answer = browser.post(url(client_of_ours), {"signs": "on"})

    [shown] = SECRET.findall(answer.content.decode())
    assert read_terms(client_of_ours.pk, timezone.now()).secrets == (shown,)
    assert "no-store" in answer["Cache-Control"]
    again = browser.post(url(client_of_ours), {"signs": "on", "retries": "on"}, follow=True).content.decode()
    assert "Saved." in again
    assert not SECRET.search(again)
    assert read_terms(client_of_ours.pk, timezone.now()).retries is True
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
        "Webhooks: signed, one attempt.",
        "Webhooks: signed, tried again.",
    ]


def test_a_new_secret_is_asked_for_first_and_the_one_before_stays_for_as_long_as_was_said(
    client_of_ours: Client,
) -> None:
    now = timezone.now()
    first = change_policy(client_of_ours.pk, signs=True, by="ana", now=now)
    assert first is not None
    browser = sign_in("ana", *EVERYTHING)
    assert browser.get(url(client_of_ours, "webhook_secret")).status_code == 200
    assert SigningSecret.objects.count() == 1
    assert browser.post(url(client_of_ours, "webhook_secret"), {"hours": "721"}).status_code == 400
    assert SigningSecret.objects.count() == 1

    page = browser.post(url(client_of_ours, "webhook_secret"), {"hours": "48"}).content.decode()

    [second] = SECRET.findall(page)
    assert read_terms(client_of_ours.pk, now + timedelta(hours=47)).secrets == (second, first.secret)
    assert first.row.fingerprint in page


def test_who_may_only_look_sees_no_form_and_changes_nothing(client_of_ours: Client) -> None:
    browser = sign_in("ana", "cases.view_client", "webhooks.view_delivery")

    page = browser.get(url(client_of_ours)).content.decode()

    assert "They are not signed." in page
    assert 'name="signs"' not in page
    refused = [
        browser.post(url(client_of_ours), {"signs": "on"}),
        browser.get(url(client_of_ours, "webhook_secret")),
        browser.post(url(client_of_ours, "webhook_secret"), {"hours": "0"}),
        browser.get(url(client_of_ours, "webhook_resend")),
        browser.post(url(client_of_ours, "webhook_resend"), {"days": "1"}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert not DeliveryPolicy.objects.exists()


def test_all_that_failed_is_counted_first_and_then_sent_again(client_of_ours: Client) -> None:
    failed = fail_one(client_of_ours)
    browser = sign_in("ana", *EVERYTHING)
    assert "1 webhook failed in the last 30 days." in browser.get(url(client_of_ours)).content.decode()
    asked = browser.get(url(client_of_ours, "webhook_resend")).content.decode()
    assert "Send 1 again" in asked
    failed.refresh_from_db()
    assert failed.state == "failed"

    done = browser.post(url(client_of_ours, "webhook_resend"), {"days": "30"}, follow=True).content.decode()

    assert "1 webhook goes out again" in done
    failed.refresh_from_db()
    assert (failed.state, failed.asked_by) == ("pending", "ana")


@pytest.mark.parametrize("days", ["0", "-1", "3651", "x", ""])
def test_a_number_of_days_that_makes_no_sense_resends_nothing(client_of_ours: Client, days: str) -> None:
    failed = fail_one(client_of_ours)
    browser = sign_in("ana", *EVERYTHING)

    assert browser.post(url(client_of_ours, "webhook_resend"), {"days": days}).status_code == 400

    failed.refresh_from_db()
    assert failed.state == "failed"


def test_the_clients_page_leads_there_and_none_of_the_pages_needs_inline_code(client_of_ours: Client) -> None:
    browser = sign_in("ana", *EVERYTHING)
    assert url(client_of_ours) in browser.get(f"/admin/cases/client/{client_of_ours.pk}/change/").content.decode()
    pages = [
        browser.get(url(client_of_ours)),
        browser.get(url(client_of_ours, "webhook_secret")),
        browser.get(url(client_of_ours, "webhook_resend")),
        browser.post(url(client_of_ours), {"signs": "on"}),
    ]

    for page in pages:
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|<script>", page.content.decode())
