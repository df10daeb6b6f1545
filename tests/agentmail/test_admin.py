"""Mail in the admin: everything can be read, nothing can be changed."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client, RequestFactory
from django.urls import reverse

from agentmail.models import DeclinedAddress, InboundEmail, OutboundEmail, ProviderEvent, SuppressedAddress
from agentmail.services import decline, has_declined, is_suppressed, suppress
from tests.agentmail.conftest import NOW, Hooks, received, send

MODELS = [OutboundEmail, InboundEmail, ProviderEvent, SuppressedAddress, DeclinedAddress]


@pytest.fixture
def _rows(db: None, hooks: Hooks) -> None:
    send("<1@agentmail.to>", "t-1")
    hooks.store(received("<2@x.example>", "t-1", subject="<script>alert(1)</script>"))
    suppress("maya@northwind.example", "BOUNCED", "", NOW)
    decline("maya@northwind.example", uuid4(), "", NOW)


@pytest.fixture
def staff(db: None, client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("admin", password="long-enough-for-a-test"))
    return client


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("model", MODELS)
def test_a_list_and_a_row_can_be_read(staff: Client, model: Any) -> None:
    name = f"admin:agentmail_{model._meta.model_name}"

    listed = staff.get(reverse(f"{name}_changelist"), {"q": "maya@northwind.example"})
    shown = (
        staff.get(reverse(f"{name}_change", args=[model.objects.get().pk])) if model is not ProviderEvent else listed
    )

    assert (listed.status_code, shown.status_code) == (200, 200)
    assert b"<script>alert(1)" not in shown.content


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("model", [OutboundEmail, InboundEmail, ProviderEvent])
def test_even_an_administrator_cannot_change_a_row(staff: Client, model: Any) -> None:
    pk = model.objects.order_by("pk").values_list("pk", flat=True)[0]
    name = f"admin:agentmail_{model._meta.model_name}"

    codes = [
        staff.post(reverse(f"{name}_change", args=[pk]), {"subject": "x"}).status_code,
        staff.post(reverse(f"{name}_delete", args=[pk]), {"post": "yes"}).status_code,
        staff.post(reverse(f"{name}_add"), {}).status_code,
    ]

    assert codes == [403, 403, 403]
    assert model.objects.count() == 1


def test_a_superuser_lets_mail_go_to_an_address_again(staff: Client) -> None:
    suppress("maya@northwind.example", "BOUNCED", "", NOW)
    url = reverse("admin:agentmail_suppressedaddress_delete", args=[SuppressedAddress.objects.get().pk])

    asked = staff.get(url).content.decode()
    kept = SuppressedAddress.objects.count()
    staff.post(url, {"post": "yes"})

    assert "Let Offload write to this address again" in asked
    assert (kept, is_suppressed("maya@northwind.example")) == (1, False)


def test_staff_with_every_permission_but_that_one_cannot_free_an_address(client: Client, db: None) -> None:
    suppress("maya@northwind.example", "BOUNCED", "", NOW)
    user = get_user_model().objects.create_user("sam", is_staff=True)
    others = Permission.objects.exclude(codename="delete_suppressedaddress")
    user.user_permissions.set(others.filter(content_type__app_label="agentmail"))
    client.force_login(user)
    row = SuppressedAddress.objects.get()

    shown = client.get(reverse("admin:agentmail_suppressedaddress_change", args=[row.pk])).content.decode()
    answer = client.post(reverse("admin:agentmail_suppressedaddress_delete", args=[row.pk]), {"post": "yes"})

    assert "write to this address again" not in shown
    assert answer.status_code == 403
    assert is_suppressed("maya@northwind.example")


def test_a_superuser_lets_one_clients_mail_go_to_an_address_again(staff: Client) -> None:
    scope = uuid4()
    decline("Maya@Northwind.example", scope, "She asked for it.", NOW)
    row = DeclinedAddress.objects.get()
    listed = staff.get(reverse("admin:agentmail_declinedaddress_changelist")).content.decode()

    staff.post(reverse("admin:agentmail_declinedaddress_delete", args=[row.pk]), {"post": "yes"})

    assert "maya@northwind.example" in listed
    assert "She asked for it." in listed
    assert not has_declined("maya@northwind.example", scope)


def test_only_unmatched_mail_can_be_asked_for(staff: Client, hooks: Hooks) -> None:
    hooks.store(received("<2@x.example>", "t-unknown", subject="Who is this for?"))

    answer = staff.get(reverse("admin:agentmail_inboundemail_changelist"), {"owner__isempty": "1"})

    assert b"Who is this for?" in answer.content


@pytest.mark.parametrize("model", MODELS)
def test_the_full_count_is_not_taken(model: Any, rf: RequestFactory) -> None:
    assert site.get_model_admin(model).show_full_result_count is False
