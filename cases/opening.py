"""Stores a case together with its first event, in one statement; must not know where the case comes from.

By the ORM it is four round trips (BEGIN, two INSERTs, COMMIT), and to compose the INSERT of all these columns anew for
each case costs more than the rest of the request (bench/README.md).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection

from cases import ledger
from cases.models import Case
from cases.workflow import EventKind


def store_with_first_event(case: Case, kind: EventKind) -> None:
    """Inserts the case and its event `kind`; both stand or neither, also without a transaction of the caller's.

    Raises IntegrityError when the case is stored already.
    """
    ledger.record_first(
        insert_case=_compose_insert(),
        case_values=_list_values(case),
        case_id=case.id,
        kind=kind,
        key=f"created:{case.id}",
        payload={},
    )
    # As after `save`: the next one must be an UPDATE.
    case._state.adding = False


@cache
def _compose_insert() -> str:
    columns = [str(field.column) for field in Case._meta.concrete_fields]
    places = [f"%(case_{column})s" for column in columns]
    # Only names of our own columns.
    return f"INSERT INTO cases_case ({', '.join(columns)}) VALUES ({', '.join(places)})"  # noqa: S608


def _list_values(case: Case) -> dict[str, Any]:
    return {
        f"case_{field.column}": field.get_db_prep_save(field.pre_save(case, add=True), connection)
        for field in Case._meta.concrete_fields
    }
