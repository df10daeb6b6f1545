"""Whole rows by SQL that is composed once: what is read and written is what the models' own queries do."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.forms.models import model_to_dict

from agentmail.inbound import EventKind
from agentmail.models import InboxCursor, ProviderEvent
from agentmail.rows import Rows

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
EVENTS = Rows(ProviderEvent)


def make_event(event_id: str = "evt-1") -> ProviderEvent:
    payload = {"text": '100 % of it\'s \\ "here"', "list": [1, None, {"a": 2.5}]}
    return ProviderEvent(
        event_id=event_id, kind=EventKind.MAIL, payload=payload, received_at=NOW, addresses=["a@b.example"]
    )


@pytest.mark.django_db
def test_a_row_is_stored_and_read_as_the_model_does_it() -> None:
    event = make_event()

    assert EVENTS.insert(event) is True

    by_model, found = ProviderEvent.objects.get(), EVENTS.find_first("event_id = %(id)s", {"id": "evt-1"})
    assert found is not None
    assert model_to_dict(found) == model_to_dict(by_model) == model_to_dict(event)
    assert (found.pk, found.received_at, found.payload) == (event.pk, NOW, event.payload)
    found.note = "saved by the model"
    found.save()
    assert ProviderEvent.objects.get().note == "saved by the model"


@pytest.mark.django_db
def test_a_row_that_stands_already_is_told_or_raises_and_stays() -> None:
    EVENTS.insert(make_event())
    again = make_event()
    again.note = "the second"

    assert EVENTS.insert(again, on_conflict="DO NOTHING") is False
    with pytest.raises(IntegrityError), transaction.atomic():
        EVENTS.insert(again)
    assert ProviderEvent.objects.get().note == ""


@pytest.mark.django_db
def test_an_update_writes_the_named_fields_of_this_row_and_no_others() -> None:
    event, other = make_event(), make_event("evt-2")
    EVENTS.insert(event)
    EVENTS.insert(other)
    owner = uuid4()
    event.owner, event.matched_at, event.note = owner, NOW, "not named"

    EVENTS.update(event, ("owner", "matched_at"))

    stored = ProviderEvent.objects.get(event_id="evt-1")
    assert (stored.owner, stored.matched_at, stored.note) == (owner, NOW, "")
    assert ProviderEvent.objects.get(event_id="evt-2").owner is None


@pytest.mark.django_db
def test_an_update_of_a_row_that_is_gone_raises() -> None:
    with pytest.raises(ProviderEvent.DoesNotExist):
        EVENTS.update(make_event(), ("note",))


@pytest.mark.django_db
def test_rows_come_in_the_order_of_the_condition() -> None:
    for event_id in ("b", "c", "a"):
        EVENTS.insert(make_event(event_id))

    found = EVENTS.find("event_id <> %(not)s ORDER BY event_id", {"not": "c"})

    assert [event.event_id for event in found] == ["a", "b"]
    assert EVENTS.find_first("event_id = %(id)s", {"id": "nobody's"}) is None


@pytest.mark.django_db
def test_a_key_of_text_is_kept() -> None:
    Rows(InboxCursor).insert(InboxCursor(inbox_id="agent@offload.example", looked_at=NOW))

    assert InboxCursor.objects.get().pk == "agent@offload.example"


@pytest.mark.django_db(transaction=True)
def test_a_lock_outside_of_a_transaction_is_refused() -> None:
    with pytest.raises(transaction.TransactionManagementError, match="would hold nothing"):
        EVENTS.find("true", {}, lock="FOR UPDATE")
