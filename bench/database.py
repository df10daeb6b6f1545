"""A database of a bench's own beside the one that DATABASE_URL names; must never write into that one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from bench.processes import ROOT
from bench.table import NotMeasured


class NoDatabase(NotMeasured):
    """DATABASE_URL is not set or does not lead to a PostgreSQL that lets us create a database."""


@contextmanager
def own_database() -> Iterator[str]:
    """Yields the URL of an empty database, gone afterwards. Raises NoDatabase."""
    given = os.environ.get("DATABASE_URL", "")
    if not given:
        raise NoDatabase("Set DATABASE_URL to a PostgreSQL whose user may create databases, or run ./dev bench.")
    name = f"offload_bench_{os.getpid()}"
    try:
        with psycopg.connect(given, autocommit=True, connect_timeout=5) as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield urlsplit(given)._replace(path=f"/{name}").geturl()
            finally:
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    except psycopg.OperationalError as error:
        raise NoDatabase(f"DATABASE_URL does not lead to a PostgreSQL that answers: {error}") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise NoDatabase(f"The user of DATABASE_URL may not create a database: {error}") from None


def migrate(env: Mapping[str, str]) -> None:
    """Makes the tables."""
    subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=dict(env), check=True)
