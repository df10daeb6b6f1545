"""Reads and writes whole rows by statements that are composed once; must not know any table, nor hide a transaction.

Django composes the SQL of every query anew, which costs a worker five times the query itself (bench/README.md). What
runs for every event is therefore written as SQL; the rows are still the models' own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Field, Model
from django.db.transaction import TransactionManagementError

M = TypeVar("M", bound=Model)


class Rows(Generic[M]):
    """The rows of one model's table. Conditions and suffixes are the caller's own SQL; values are always bound."""

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def find_first(self, condition: str, values: Mapping[str, Any], *, lock: str = "") -> M | None:
        """Returns the first row that meets the condition, or None; else as `find`."""
        found = self.find(condition, values, lock=lock)
        return found[0] if found else None

    def find(self, condition: str, values: Mapping[str, Any], *, lock: str = "") -> list[M]:
        """Returns the rows that meet the condition, in its own order, locked by `lock` ("FOR UPDATE") if need be.

        Raises TransactionManagementError for a lock outside of a transaction, which would hold nothing.
        """
        if lock and not connection.in_atomic_block:
            raise TransactionManagementError(f"{lock} outside of a transaction would hold nothing")
        with connection.cursor() as cursor:
            cursor.execute(f"{self._select} WHERE {condition} {lock}", values)
            return [self._build(row) for row in cursor.fetchall()]

    def insert(self, row: M, *, on_conflict: str = "") -> bool:
        """Stores a row whose key is set or the database's to give; returns whether it was stored.

        Raises IntegrityError on a conflict unless `on_conflict` ("DO NOTHING") says otherwise.
        """
        fields = [field for field in self._fields if not (field.primary_key and row.pk is None)]
        columns, places = ", ".join(f'"{field.column}"' for field in fields), ", ".join(["%s"] * len(fields))
        statement = f"INSERT INTO {self._table} ({columns}) VALUES ({places})"  # noqa: S608
        if on_conflict:
            statement += f" ON CONFLICT {on_conflict}"
        with connection.cursor() as cursor:
            cursor.execute(
                f'{statement} RETURNING "{self._key.column}"', [_prepare(field, row, add=True) for field in fields]
            )
            stored = cursor.fetchone()
        if stored is None:
            return False
        row.pk = stored[0]
        # As after `save`: the next one must be an UPDATE.
        row._state.adding, row._state.db = False, connection.alias
        return True

    def update(self, row: M, names: Sequence[str]) -> None:
        """Writes these fields of a stored row, and nothing else of it. Raises DoesNotExist when it is gone."""
        fields = [self._by_name[name] for name in names]
        assignments = ", ".join(f'"{field.column}" = %s' for field in fields)
        with connection.cursor() as cursor:
            cursor.execute(
                f'UPDATE {self._table} SET {assignments} WHERE "{self._key.column}" = %s',  # noqa: S608
                [*(_prepare(field, row, add=False) for field in fields), row.pk],
            )
            if not cursor.rowcount:
                raise self._model.DoesNotExist  # type: ignore[attr-defined]

    def _build(self, values: Sequence[Any]) -> M:
        row = list(values)
        for place, field, column in self._converted:
            row[place] = field.from_db_value(row[place], column, connection)
        return self._model.from_db(connection.alias, self._names, row)

    # At the first use: a module that names its tables is loaded before the models are complete.
    @cached_property
    def _fields(self) -> list[Field[Any, Any]]:
        return list(self._model._meta.concrete_fields)

    @cached_property
    def _by_name(self) -> dict[str, Field[Any, Any]]:
        return {field.name: field for field in self._fields}

    @cached_property
    def _names(self) -> list[str]:
        return [field.attname for field in self._fields]

    @cached_property
    def _key(self) -> Field[Any, Any]:
        return self._by_name[str(self._model._meta.pk.name)]

    @cached_property
    def _table(self) -> str:
        return self._model._meta.db_table

    @cached_property
    def _select(self) -> str:
        columns = ", ".join(f'"{field.column}"' for field in self._fields)
        return f"SELECT {columns} FROM {self._table}"  # noqa: S608

    @cached_property
    def _converted(self) -> list[tuple[int, Any, Any]]:
        """The fields that Django itself converts when it reads, JSON above all, with their places."""
        return [
            (place, field, field.cached_col)
            for place, field in enumerate(self._fields)
            if hasattr(field, "from_db_value")
        ]


def _prepare(field: Field[Any, Any], row: Model, *, add: bool) -> Any:
    return field.get_db_prep_save(field.pre_save(row, add=add), connection)
