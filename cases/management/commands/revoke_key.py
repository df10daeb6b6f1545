"""`manage.py revoke_key PREFIX`: ends an API key for good; must not show a key, not even one that was typed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from cases import credentials
from cases.management.key_options import format_moment


class Command(BaseCommand):
    help = (
        "Revokes an API key for good: within ten seconds every request with it is refused. A second call is harmless."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="off_ and eight characters, as list_keys shows it; or the whole key")
        parser.add_argument("--client", help="the client's name or id, should two keys share a prefix")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            client = credentials.find_client(options["client"]) if options["client"] is not None else None
            row = credentials.find_key_to_revoke(options["prefix"], client)
        except credentials.CredentialRefused as refusal:
            raise CommandError(str(refusal)) from None
        is_new = credentials.revoke_key(row.pk, timezone.now())
        row.refresh_from_db(fields=["revoked_at"])
        which = f'The key {row.prefix} ("{row.name}" of {row.client.name})'
        if is_new:
            self.stdout.write(f"{which} is revoked; within ten seconds every request with it is refused.")
        else:
            self.stdout.write(f"{which} was revoked already, at {format_moment(row.revoked_at)}.")
