"""`manage.py create_client NAME`: makes an API client and shows its key once; must not store the key itself."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, transaction

from cases import keys
from cases.models import ApiKey, Client

MAX_NAME = 200


class Command(BaseCommand):
    help = "Creates an API client with one key, and prints the key. It is shown only this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what staff will know the client by; unique")
        parser.add_argument(
            "--key-name", default="default", help='what staff will know the key by (default: "default")'
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = _check_name(options["name"], "The client's name")
        key_name = _check_name(options["key_name"], "The key's name")
        key = keys.make_key()
        try:
            with transaction.atomic():
                client = Client.objects.create(name=name)
                ApiKey.objects.create(
                    client=client, name=key_name, prefix=keys.get_prefix(key), digest=keys.get_digest(key)
                )
        except IntegrityError:
            raise CommandError(f'There is a client called "{name}" already; choose another name.') from None
        self.stdout.write(f"Client:  {name}")
        self.stdout.write(f"Id:      {client.id}")
        self.stdout.write(f"API key: {key}")
        self.stdout.write("Store the key now: only its fingerprint is kept, so it cannot be shown again.")


def _check_name(given: str, what: str) -> str:
    name = given.strip()
    if not name or not name.isprintable():
        raise CommandError(f"{what} must be one line of text that is not empty.")
    if len(name) > MAX_NAME:
        raise CommandError(f"{what} must have at most {MAX_NAME} characters.")
    return name
