"""API clients in a bench's own database; must not go through the product."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg

from cases import keys


def create_client(database: psycopg.Connection[tuple[Any, ...]], name: str) -> tuple[str, str]:
    """Returns the id of a new client and its key."""
    client_id, key = str(uuid4()), keys.make_key()
    database.execute(
        "INSERT INTO cases_client (id, name, is_active, created_at) VALUES (%s, %s, true, now())", [client_id, name]
    )
    database.execute(
        """
        INSERT INTO cases_apikey (client_id, name, prefix, digest, is_active, created_at)
        VALUES (%s, 'bench', %s, %s, true, now())
        """,
        [client_id, keys.get_prefix(key), keys.get_digest(key)],
    )
    return client_id, key
