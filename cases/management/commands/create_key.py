"""`manage.py create_key CLIENT`: makes one more key of a client and shows it once; must not store the key itself."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from cases import credentials
from cases.management.key_options import add_expiry_options, read_expiry, show_new_key


class Command(BaseCommand):
    help = "Creates one more API key of a client, and prints it. It is shown only this once; other keys stay valid."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client", help="the client's name or id")
        parser.add_argument("--name", help='what staff will know the key by (default: "key 2", "key 3" …)')
        add_expiry_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        expires_at = read_expiry(options, now)
        try:
            client = credentials.find_client(options["client"])
            made = credentials.create_key(client, name=options["name"], expires_at=expires_at, now=now)
        except credentials.CredentialRefused as refusal:
            raise CommandError(str(refusal)) from None
        show_new_key(self.stdout, made)
