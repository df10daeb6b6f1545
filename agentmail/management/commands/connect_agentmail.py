"""`manage.py connect_agentmail`: sets up inbox and webhook at AgentMail; must never show the key or a secret."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.utils import timezone

from agentmail.account import AgentMailAccount
from agentmail.connecting import ConnectionFault, connect, name_webhook_url


class Command(BaseCommand):
    help = (
        "Creates the inbox AGENTMAIL_INBOX_ID and the webhook that reports it to OFFLOAD_PUBLIC_URL, mends what "
        "differs, and stores the webhook's secret in the database, from where every process reads it: nothing has to "
        "be restarted. Prints each change; running it again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be changed")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("AGENTMAIL_API_KEY", "AGENTMAIL_INBOX_ID"):
            if not getattr(settings, name):
                raise CommandError(f"{name} is not set.")
        if "@" not in settings.AGENTMAIL_INBOX_ID.strip("@"):
            raise CommandError("AGENTMAIL_INBOX_ID must be an address, such as acme@agentmail.to")
        is_dry_run = options["dry_run"]
        is_idle = True
        try:
            for change in connect(AgentMailAccount.from_settings(), timezone.now(), is_dry_run=is_dry_run):
                is_idle = False
                self.stdout.write(f"would {change}" if is_dry_run else f"done: {change}")
        except ConnectionFault as fault:
            raise CommandError(str(fault)) from None
        except Error as error:
            sentence = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CommandError(f"The database did not answer: {sentence}. Run: manage.py doctor") from None
        if is_idle:
            self.stdout.write(
                f"AgentMail takes the key; {settings.AGENTMAIL_INBOX_ID} and its webhook to {name_webhook_url()} are "
                "as they should be."
            )
