"""What staff see of deliveries, and that they can change none of it here."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest
from django.test import Client

from webhooks.models import Delivery
from webhooks.outcomes import Answered
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
