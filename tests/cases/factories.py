"""Makes rows of cases for tests; must not hide which values a test is about."""

# factory-boy's declarations carry no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory

from cases import keys
from cases.models import ApiKey, Case, Client

OPENED_AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class ClientFactory(DjangoModelFactory[Client]):
    class Meta:
        model = Client

    name = Sequence(lambda number: f"Client {number}")


class ApiKeyFactory(DjangoModelFactory[ApiKey]):
    """`ApiKeyFactory(key=…)` stores that key; `make_api_key` gives one back that can be sent."""

    class Meta:
        model = ApiKey

    class Params:
        key = LazyFunction(keys.make_key)

    client = SubFactory(ClientFactory)
    prefix = LazyAttribute(lambda row: keys.get_prefix(row.key))
    digest = LazyAttribute(lambda row: keys.get_digest(row.key))


class CaseFactory(DjangoModelFactory[Case]):
    class Meta:
        model = Case

    client = SubFactory(ClientFactory)
    objective = "Get Maya's W-9"
    counterparty_name = "Maya Chen"
    counterparty_address = "maya@vendor.example"
    persona_name = "Alex Reed"
    created_at = OPENED_AT
    updated_at = OPENED_AT


def make_api_key(**values: Any) -> tuple[ApiKey, str]:
    """Returns a stored key and the text that a client sends."""
    key = keys.make_key()
    return ApiKeyFactory.create(key=key, **values), key
