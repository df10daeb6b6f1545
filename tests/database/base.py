"""Empties the tables after a test by DELETE; must differ from the product's backend in nothing else.

Between two tests a table holds a handful of rows, and forty TRUNCATEs cost fifty times as much as forty DELETEs.
"""

from __future__ import annotations

from typing import Any

from django.core.management.color import Style

from offload.database import base

# What `migrate` makes anew after each flush, one query a row, if it is gone.
KEPT = frozenset({"django_content_type", "auth_permission"})


class DatabaseOperations(base.DatabaseWrapper.ops_class):  # type: ignore[name-defined,misc]
    """PostgreSQL's, but for the flush."""

    def sql_flush(self, style: Style, tables: Any, *, reset_sequences: bool = False, allow_cascade: bool = False) -> Any:
        """Returns one DELETE a table; foreign keys are deferred, so their order does not matter."""
        if reset_sequences or allow_cascade:
            return super().sql_flush(style, tables, reset_sequences=reset_sequences, allow_cascade=allow_cascade)
        return [f"DELETE FROM {self.quote_name(table)}" for table in tables if table not in KEPT]


class DatabaseWrapper(base.DatabaseWrapper):
    """The product's connection, with that flush."""

    ops_class = DatabaseOperations
