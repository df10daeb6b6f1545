"""Empties the tables after a test by DELETE; must differ from the product's backend in nothing else.

Between two tests a table holds a handful of rows, and forty TRUNCATEs cost fifty times as much as forty DELETEs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.postgresql.operations import DatabaseOperations as PostgreSQLOperations

from offload.database import base

# What `migrate` makes anew after each flush, one query a row, if it is gone.
KEPT = frozenset({"django_content_type", "auth_permission"})


class DatabaseOperations(PostgreSQLOperations):
    """PostgreSQL's, but for the flush."""

    def sql_flush(
        self, style: Any, tables: Sequence[str], *, reset_sequences: bool = False, allow_cascade: bool = False
    ) -> list[str]:
        """Returns one DELETE a table; foreign keys are deferred, so their order does not matter."""
        return [f"DELETE FROM {self.quote_name(table)}" for table in tables if table not in KEPT]


class DatabaseWrapper(base.DatabaseWrapper):
    """The product's connection, with that flush."""

    ops_class = DatabaseOperations
