"""The health check of a connection: silent on a good one, right about one that the server has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections

from offload.database.base import DatabaseWrapper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept() -> Iterator[Any]:
    """A second connection, kept from an earlier request."""
    made: Any = DatabaseWrapper(connection.settings_dict | {"CONN_HEALTH_CHECKS": True}, "kept")
    ask(made, "SELECT 'the last request'")
    made.health_check_enabled = True
    made.health_check_done = False
    yield made
    made.close()


def ask(wrapper: Any, query: str, *values: Any) -> Any:
    with wrapper.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchone() if cursor.description else None


def get_pid(wrapper: DatabaseWrapper) -> int:
    assert wrapper.connection is not None
    return int(wrapper.connection.info.backend_pid)


def test_the_product_uses_this_backend() -> None:
    assert isinstance(connections["default"], DatabaseWrapper)


def test_a_good_connection_is_used_without_asking_the_server(kept: DatabaseWrapper) -> None:
    assert kept.is_usable() is True

    last = ask(connection, "SELECT query FROM pg_stat_activity WHERE pid = %s", get_pid(kept))
    assert last == ("SELECT 'the last request'",)


def test_a_connection_that_the_server_ended_is_replaced(kept: DatabaseWrapper) -> None:
    ended = get_pid(kept)
    assert ask(connection, "SELECT pg_terminate_backend(%s, 5000)", ended) == (True,)

    assert ask(kept, "SELECT 1") == (1,)

    assert get_pid(kept) != ended


def test_a_word_of_the_server_is_no_reason_to_give_a_connection_up(kept: DatabaseWrapper) -> None:
    ask(kept, "LISTEN anything")
    ask(connection, "NOTIFY anything")

    assert kept.is_usable() is True


def test_after_an_error_the_server_is_asked(kept: DatabaseWrapper) -> None:
    kept.errors_occurred = True

    assert kept.is_usable() is True

    last = ask(connection, "SELECT query FROM pg_stat_activity WHERE pid = %s", get_pid(kept))
    assert last == ("SELECT 1",)


def test_no_connection_is_not_usable() -> None:
    assert DatabaseWrapper(connection.settings_dict, "kept").is_usable() is False
