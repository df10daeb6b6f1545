"""`manage.py listen`: a local endpoint that prints and verifies the webhooks it is sent; must not need a database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from webhooks.management.listening import Listener
from webhooks.signing import PREFIX


class Command(BaseCommand):
    help = (
        "Listens for client webhooks on this machine, prints each, and says whether its signature is good. "
        "Give the printed URL as clientWebhookUrl of a case. Ends with Ctrl-C."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="the address to listen at (default: this machine alone)"
        )
        parser.add_argument("--port", type=int, default=9000, help="the port (default: 9000; 0 takes any free one)")
        parser.add_argument("--secret", default="", help="the client's whsec_… secret; without it nothing is verified")
        parser.add_argument(
            "--answer", type=int, default=200, help="the status to answer with, such as 500 (default: 200)"
        )
        parser.add_argument("--retry-after", type=int, help="seconds that a failing answer asks to wait")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 200 <= options["answer"] <= 599:
            raise CommandError("--answer must be a status from 200 to 599.")
        if not 0 <= options["port"] <= 65535:
            raise CommandError("--port must be from 0 to 65535.")
        if not options["host"].strip():
            raise CommandError("--host must name an address; 127.0.0.1 is this machine alone, 0.0.0.0 every network.")
        if options["secret"] and not options["secret"].startswith(PREFIX):
            raise CommandError("--secret must begin with whsec_; `webhook_settings --rotate-secret` makes one.")
        if options["retry_after"] is not None and options["retry_after"] < 0:
            raise CommandError("--retry-after must be 0 seconds or more.")
        try:
            listener = Listener(
                (options["host"], options["port"]),
                secret=options["secret"].strip(),
                status=options["answer"],
                retry_after=options["retry_after"],
                write=self._write,
                read_clock=timezone.now,
            )
        except OSError as error:
            where = f"{options['host']}:{options['port']}"
            raise CommandError(
                f"Cannot listen at {where} ({error.strerror or error}); choose another --port."
            ) from None
        with listener:
            self._write(f"Listening at http://{options['host']}:{listener.server_port}/  (Ctrl-C ends it)\n")
            try:
                listener.serve_forever()
            except KeyboardInterrupt:
                self._write("")

    def _write(self, text: str) -> None:
        self.stdout.write(text)
        # Also when the output is a pipe, where it would wait for a full buffer.
        self.stdout.flush()
