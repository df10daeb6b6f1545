"""Which addresses get no mail: from nobody, or from one sender that they asked to stop."""

from datetime import timedelta
from uuid import uuid4

import pytest

from agentmail.models import DeclinedAddress
from agentmail.services import decline, has_declined, is_suppressed
from tests.agentmail.conftest import NOW


@pytest.mark.django_db
def test_an_address_declines_one_senders_mail_in_any_case_and_keeps_its_first_request() -> None:
    one, other = uuid4(), uuid4()

    decline(" Maya@Northwind.example", one, "Stop.", NOW)
    decline("maya@northwind.example", one, "I said stop.", NOW + timedelta(hours=1))

    assert has_declined("MAYA@northwind.example", one)
    assert not has_declined("maya@northwind.example", other)
    assert not is_suppressed("maya@northwind.example")
    assert list(DeclinedAddress.objects.values_list("address", "detail", "created_at")) == [
        ("maya@northwind.example", "Stop.", NOW)
    ]
