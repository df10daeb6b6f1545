"""A case and its first event are stored together or not at all."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from cases.models import Case, CaseEvent
from cases.opening import store_with_first_event
from cases.workflow import EventKind
from tests.cases.factories import CaseFactory, ClientFactory

pytestmark = pytest.mark.django_db


def test_what_is_stored_is_what_the_orm_would_store() -> None:
    case = CaseFactory.build(
        client=ClientFactory.create(),
        knowledge={"po": "4711", "nested": [1, None, "\u20ac"]},
        constraints=["100 % of it", "%(key)s"],
        objective='It\'s a "quote" with 50 % and \\ and \n a line',
    )

    store_with_first_event(case, EventKind.CASE_CREATED)

    stored = Case.objects.get(pk=case.pk)
    names = [field.attname for field in Case._meta.concrete_fields]
    assert {name: getattr(stored, name) for name in names} == {name: getattr(case, name) for name in names}
    event = CaseEvent.objects.get()
    assert (event.case_id, event.key, event.kind, event.status) == (
        case.pk,
        f"created:{case.pk}",
        "CASE_CREATED",
        "ready",
    )


def test_the_stored_case_is_updated_by_the_next_save() -> None:
    case = CaseFactory.build(client=ClientFactory.create())
    store_with_first_event(case, EventKind.CASE_CREATED)

    case.objective = "Another one"
    case.save()

    assert Case.objects.get().objective == "Another one"


def test_a_case_that_is_stored_already_is_refused_and_no_event_is_added() -> None:
    case = CaseFactory.build(client=ClientFactory.create())
    store_with_first_event(case, EventKind.CASE_CREATED)

    with pytest.raises(IntegrityError), transaction.atomic():
        store_with_first_event(case, EventKind.CASE_CREATED)

    assert (Case.objects.count(), CaseEvent.objects.count()) == (1, 1)


def test_an_event_that_is_there_already_keeps_the_case_out() -> None:
    case, other = (CaseFactory.build(client=ClientFactory.create()) for _ in range(2))
    store_with_first_event(other, EventKind.CASE_CREATED)
    CaseEvent.objects.update(key=f"created:{case.pk}")

    with pytest.raises(IntegrityError), transaction.atomic():
        store_with_first_event(case, EventKind.CASE_CREATED)

    assert not Case.objects.filter(pk=case.pk).exists()
