"""What staff see of deliveries and endpoints, and the two things that they can do."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from webhooks.models import Delivery, Endpoint
from webhooks.outcomes import Answered
from webhooks.policies import change_policy
from webhooks.services import claim_delivery, finish_attempt, record_delivery

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.webhooks.urls")]
LIST = "/admin/webhooks/delivery/"


@pytest.fixture
def delivery(now: datetime) -> Delivery:
    stored = record_delivery(
        owner=uuid4(),
        url="https://hooks.example.com/s3cret-path",
        event_id="evt_wanted",
        event_type="case.completed",
        body={"event_id": "evt_wanted"},
        now=now,
    )
    claimed = claim_delivery(stored.id, now, 60)
    assert claimed is not None
    finish_attempt(claimed, Answered(500, b"<script>alert(1)</script>", 37), now)
    record_delivery(
        owner=uuid4(), url="https://example.org/", event_id="evt_other", event_type="case.failed", body={}, now=now
    )
    return stored


def test_the_list_shows_the_host_and_not_the_path(admin_client: Client, delivery: Delivery) -> None:
    page = admin_client.get(LIST).content.decode()

    assert "evt_wanted" in page
    assert "evt_other" in page
    assert "hooks.example.com" in page
    assert "s3cret-path" not in page


@pytest.mark.parametrize("query", ["event_id", "owner"])
def test_search_finds_by_the_exact_event_id_or_owner(admin_client: Client, delivery: Delivery, query: str) -> None:
    page = admin_client.get(LIST, {"q": f" {getattr(delivery, query)} "}).content.decode()

    assert "evt_wanted" in page
    assert "evt_other" not in page


@pytest.mark.parametrize("term", ["evt_want", "\x00", "%00", "' OR 1=1 --"])
def test_search_for_anything_else_finds_nothing_or_everything_but_never_fails(
    admin_client: Client, delivery: Delivery, term: str
) -> None:
    answer = admin_client.get(LIST, {"q": term})

    assert answer.status_code == 200
    assert ("evt_wanted" in answer.content.decode()) is (term == "\x00")


def test_the_filters_narrow_the_list(admin_client: Client, delivery: Delivery) -> None:
    page = admin_client.get(LIST, {"state__exact": "failed", "event_type": "case.completed"}).content.decode()

    assert "evt_wanted" in page
    assert "evt_other" not in page


def test_a_delivery_shows_its_attempts_with_the_answer_escaped(admin_client: Client, delivery: Delivery) -> None:
    page = admin_client.get(f"{LIST}{delivery.id}/change/").content.decode()

    assert "The endpoint answered 500." in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_nothing_can_be_added_changed_or_deleted(admin_client: Client, delivery: Delivery) -> None:
    before = list(Delivery.objects.order_by("pk").values())

    answers = [
        admin_client.post(f"{LIST}add/", {"event_id": "evt_new"}),
        admin_client.post(f"{LIST}{delivery.id}/change/", {"state": "delivered"}),
        admin_client.post(f"{LIST}{delivery.id}/delete/", {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert list(Delivery.objects.order_by("pk").values()) == before


# -- Resend and resume


def sign_in(*permissions: str) -> Client:
    user = get_user_model().objects.create_user("ana", is_staff=True)
    for name in permissions:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    browser = Client()
    browser.force_login(user)
    return browser


def test_resend_asks_first_and_then_makes_the_delivery_due_and_leaves_a_line_in_the_log(delivery: Delivery) -> None:
    browser = sign_in("webhooks.view_delivery", "webhooks.resend_delivery")
    url = reverse("admin:webhooks_delivery_resend", args=[delivery.id])
    before = Delivery.objects.filter(pk=delivery.pk).values().get()

    asked = browser.get(url)

    assert asked.status_code == 200
    assert "evt_wanted" in asked.content.decode()
    assert "s3cret-path" not in asked.content.decode()
    assert Delivery.objects.filter(pk=delivery.pk).values().get() == before
    done = browser.post(url, follow=True)
    assert "The webhook goes out again" in done.content.decode()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.asked_by, delivery.event_id) == ("pending", "ana", before["event_id"])
    assert delivery.body == before["body"]
    assert LogEntry.objects.get().get_change_message() == "Sent again."


def test_the_second_resend_is_told_that_it_is_on_its_way(delivery: Delivery) -> None:
    browser = sign_in("webhooks.view_delivery", "webhooks.resend_delivery")
    url = reverse("admin:webhooks_delivery_resend", args=[delivery.id])
    browser.post(url)

    page = browser.post(url, follow=True).content.decode()

    assert "Nothing was sent: It waits for a worker already" in page
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("permissions", [(), ("webhooks.view_delivery",), ("webhooks.resend_delivery",)])
def test_without_both_permissions_nothing_is_resent(delivery: Delivery, permissions: tuple[str, ...]) -> None:
    browser = sign_in(*permissions)
    before = list(Delivery.objects.order_by("pk").values())
    url = reverse("admin:webhooks_delivery_resend", args=[delivery.id])

    assert [browser.get(url).status_code, browser.post(url).status_code] == [403, 403]

    assert list(Delivery.objects.order_by("pk").values()) == before


def test_who_may_only_look_sees_no_button(delivery: Delivery) -> None:
    page = sign_in("webhooks.view_delivery").get(f"{LIST}{delivery.id}/change/").content.decode()

    assert "The endpoint answered 500." in page
    assert "Send it again" not in page


@pytest.fixture
def paused(now: datetime) -> Endpoint:
    subscriber = uuid4()
    change_policy(subscriber, retries=True, by="ana", now=now)
    for number, outcome in ((1, Answered(410, b"", 1)), (2, None)):
        stored = record_delivery(
            owner=uuid4(),
            subscriber=subscriber,
            url="https://hooks.example.com/s3cret-path?token=s3cret",
            event_id=f"evt_{number}",
            event_type="case.completed",
            body={},
            now=now,
        )
        claimed = claim_delivery(stored.id, now, 60)
        if outcome is not None and claimed is not None:
            finish_attempt(claimed, outcome, now)
    return Endpoint.objects.get()


def test_a_paused_endpoint_is_shown_without_its_path_and_is_resumed_after_a_question(paused: Endpoint) -> None:
    browser = sign_in("webhooks.view_delivery", "webhooks.resume_endpoint")
    listed = browser.get("/admin/webhooks/endpoint/").content.decode()
    page = browser.get(f"/admin/webhooks/endpoint/{paused.pk}/change/").content.decode()
    url = reverse("admin:webhooks_endpoint_resume", args=[paused.pk])
    asked = browser.get(url).content.decode()

    for shown in (listed, page, asked):
        assert "https://hooks.example.com" in shown
        assert "s3cret" not in shown
    assert "1 webhook waits for it and will not be lost." in " ".join(page.split())
    assert Endpoint.objects.get().paused_at is not None

    assert "Resumed; what waited goes out" in browser.post(url, follow=True).content.decode()
    endpoint = Endpoint.objects.get()
    assert (endpoint.paused_at, endpoint.resumed_by) == (None, "ana")
    assert "Nothing was changed" in browser.post(url, follow=True).content.decode()
    assert LogEntry.objects.count() == 1


def test_without_the_permission_an_endpoint_stays_paused(paused: Endpoint) -> None:
    browser = sign_in("webhooks.view_delivery")
    url = reverse("admin:webhooks_endpoint_resume", args=[paused.pk])

    assert [browser.get(url).status_code, browser.post(url).status_code] == [403, 403]

    assert Endpoint.objects.get().paused_at is not None


def test_the_overview_says_how_many_endpoints_are_paused_to_who_may_look(paused: Endpoint) -> None:
    answer = sign_in("webhooks.view_delivery").get("/admin/")

    assert answer.context["paused_endpoint_count"] == 1
    assert "1 webhook endpoint is paused" in answer.content.decode()


def test_the_list_of_deliveries_says_that_an_endpoint_is_paused_and_leads_there(paused: Endpoint) -> None:
    browser = sign_in("webhooks.view_delivery")

    page = browser.get(LIST).content.decode()

    assert '<a href="/admin/webhooks/endpoint/"><strong>1 webhook endpoint is paused</strong></a>' in page
    Endpoint.objects.update(paused_at=None)
    assert "is paused" not in browser.get(LIST).content.decode()


def test_a_delivery_that_waits_for_a_paused_endpoint_leads_there(paused: Endpoint) -> None:
    held = Delivery.objects.get(held_by=paused)

    page = sign_in("webhooks.view_delivery").get(f"{LIST}{held.id}/change/").content.decode()

    assert "Waits: endpoint paused" in page
    assert f"/admin/webhooks/endpoint/{paused.pk}/change/" in page
    assert "9999" not in page


def test_an_unknown_id_leads_to_the_overview_with_a_sentence(admin_client: Client) -> None:
    for url in (f"{LIST}{uuid4()}/change/", f"{LIST}nonsense/change/", "/admin/webhooks/endpoint/999/change/"):
        page = admin_client.get(url, follow=True).content.decode()
        assert "There is nothing with this id" in page
