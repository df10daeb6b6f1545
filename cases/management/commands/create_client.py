"""`manage.py create_client NAME`: makes an API client and shows its key once; must not store the key itself."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from cases import credentials
from cases.management.key_options import add_expiry_options, read_expiry, show_new_key


class Command(BaseCommand):
    help = "Creates an API client with one key, and prints the key. It is shown only this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what staff will know the client by; unique")
        parser.add_argument(
            "--key-name", default="default", help='what staff will know the key by (default: "default")'
        )
        add_expiry_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        expires_at = read_expiry(options, now)
        try:
            made = credentials.create_client(
                options["name"], key_name=options["key_name"], expires_at=expires_at, now=now
            )
        except credentials.CredentialRefused as refusal:
            raise CommandError(str(refusal)) from None
        show_new_key(self.stdout, made)
