"""`manage.py list_keys [CLIENT]`: shows the API keys, their state and last use; must not show or change a key."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from cases import credentials
from cases.management.key_options import format_moment
from cases.models import ApiKey

HEADINGS = ("PREFIX", "CLIENT", "NAME", "STATE", "CREATED", "LAST USED", "EXPIRES")


class Command(BaseCommand):
    help = "Lists API keys by client, oldest first: prefix, name, state, last use (up to 70 seconds behind), expiry."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client", nargs="?", help="the client's name or id (default: all clients)")
        parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            client = credentials.find_client(options["client"]) if options["client"] is not None else None
        except credentials.CredentialRefused as refusal:
            raise CommandError(str(refusal)) from None
        rows = credentials.list_keys(client)
        if options["json"]:
            self.stdout.write(json.dumps([_describe(row, now) for row in rows], indent=2, ensure_ascii=False))
        elif rows:
            self._write_table([HEADINGS, *(_make_cells(row, now) for row in rows)])
        else:
            self.stdout.write("There are no keys yet; `create_client` makes a client with one.")

    def _write_table(self, lines: list[tuple[str, ...]]) -> None:
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _make_cells(row: ApiKey, now: datetime) -> tuple[str, ...]:
    return (
        row.prefix,
        row.client.name,
        row.name,
        credentials.get_state(row, now).value,
        format_moment(row.created_at),
        format_moment(row.last_used_at),
        format_moment(row.expires_at),
    )


def _describe(row: ApiKey, now: datetime) -> dict[str, str | None]:
    moments = {name: getattr(row, name) for name in ("created_at", "last_used_at", "expires_at", "revoked_at")}
    return {
        "prefix": row.prefix,
        "client": row.client.name,
        "client_id": str(row.client_id),
        "name": row.name,
        "state": credentials.get_state(row, now).value,
        **{name: None if moment is None else format_moment(moment) for name, moment in moments.items()},
    }
