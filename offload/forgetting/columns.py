"""Every column of the database that can hold words, so that nobody has to remember one; must not know any table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from django.db import connection
from psycopg import sql

# What belongs to staff and to the installation, not to a person outside.
NOT_OURS_TO_CHANGE = frozenset({"auth_user", "django_session", "django_migrations"})
ERASED = "[erased]"

COLUMNS = """
    SELECT c.table_name, c.column_name, c.udt_name,
           EXISTS (SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
                    WHERE i.indisunique AND i.indrelid = format('%I.%I', c.table_schema, c.table_name)::regclass
                      AND a.attname = c.column_name)
      FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
       AND c.udt_name IN ('text', 'varchar', 'json', 'jsonb', '_text', '_varchar', 'bytea')
     ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its table, its name, PostgreSQL's type, and whether two rows may not hold the same."""

    table: str
    name: str
    kind: str
    is_unique: bool

    @property
    def place(self) -> str:
        return f"{self.table}.{self.name}"


def list_columns() -> list[Column]:
    """Returns every column of text, JSON, lists of text and bytes."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS.replace("%", "%%"), [])
        return [Column(*row) for row in cursor.fetchall()]


def list_forms(words: str) -> list[str]:
    """Returns how the words may be written: as they are, as in a URL, as JSON escapes them, and in HTML."""
    escaped = words.encode("ascii", "backslashreplace").decode()
    return list(dict.fromkeys([words, quote(words, safe=""), quote(words), escaped, escape(words)]))


def find(column: Column, words: str) -> int:
    """Returns how many rows hold the words in this column, in any case and any form."""
    query = sql.SQL("SELECT count(*) FROM {table} WHERE {match}").format(
        table=sql.Identifier(column.table), match=_match(column, words)
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


def replace(column: Column, words: str) -> int:
    """Puts "[erased]" in the place of the words wherever the column holds them; returns how many rows it changed.

    Bytes are left: they are files, and their rows are deleted elsewhere.
    """
    if column.kind == "bytea" or column.table in NOT_OURS_TO_CHANGE:
        return 0
    # Two rows that were told apart by the words have to stay so.
    mark = (
        sql.SQL("'[erased-' || substr(md5(random()::text), 1, 12) || ']'") if column.is_unique else sql.Literal(ERASED)
    )
    query = sql.SQL(
        "UPDATE {table} SET {name} = regexp_replace({name}::text, {pattern}, {mark}, 'gi')::{kind} WHERE {match}"
    ).format(
        table=sql.Identifier(column.table),
        name=sql.Identifier(column.name),
        pattern=sql.Literal(_make_pattern(words)),
        mark=mark,
        kind=sql.SQL({"_text": "text[]", "_varchar": "varchar[]"}.get(column.kind, column.kind)),
        match=_match(column, words),
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.rowcount)


def search(words: str) -> Iterator[tuple[Column, int]]:
    """Yields each column that holds the words, with how many rows do. Reads the whole database."""
    for column in list_columns():
        if rows := find(column, words):
            yield column, rows


def _match(column: Column, words: str) -> sql.Composable:
    name = sql.Identifier(column.name)
    if column.kind == "bytea":
        forms = [form.encode() for form in list_forms(words)]
        tests = [sql.SQL("position({form} IN {name}) > 0").format(form=sql.Literal(form), name=name) for form in forms]
    else:
        likes = [f"%{_escape(form)}%" for form in list_forms(words)]
        # Cheap first: most rows hold none of it.
        found = [sql.SQL("{name}::text ILIKE {like}").format(name=name, like=sql.Literal(like)) for like in likes]
        whole = sql.SQL("{name}::text ~* {pattern}").format(name=name, pattern=sql.Literal(_make_pattern(words)))
        return sql.SQL("({found}) AND {whole}").format(found=sql.SQL(" OR ").join(found), whole=whole)
    return sql.SQL(" OR ").join(tests)


def _make_pattern(words: str) -> str:
    """Returns PostgreSQL's pattern of the words as a whole: ann@x.example is no part of joann@x.example.

    What stands before may be the end of an escape: of JSON's line end, or of a URL's bracket.
    """
    forms = "|".join(re.escape(form) for form in sorted(list_forms(words), key=len, reverse=True))
    return rf"(?:(?<![\w.+-])|(?<=\\[bfnrt])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))(?:{forms})(?![\w-]|\.\w)"


def _escape(text: str) -> str:
    """Returns the text with what LIKE would take for more than itself escaped."""
    return re.sub(r"([%_\\])", r"\\\1", text)
