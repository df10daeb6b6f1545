"""`manage.py sandbox`: runs the stand-in mail provider; refuses to without OFFLOAD_SANDBOX."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError, connections
from django.utils import timezone
from standardwebhooks import Webhook as Signer

from agentmail.sandbox.bootstrap import ensure_defaults
from agentmail.sandbox.server import SandboxServer

URLCONF = "offload.sandbox_urls"


class Command(BaseCommand):
    """Serves AgentMail's API, the control API and the mailbox on 127.0.0.1 until it is told to stop."""

    # They would load the web's routes, which this process does not serve.
    requires_system_checks = []
    help = "Runs the sandbox: AgentMail's HTTP API, its webhooks and a mailbox page, all on this machine."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds `--port`."""
        parser.add_argument("--port", type=int, default=None, help="default: the port of OFFLOAD_SANDBOX_URL")

    def handle(self, *args: Any, **options: Any) -> None:
        """Checks the settings, makes the inbox and the webhook, serves; returns never."""
        self._check_settings()
        port = options["port"] or urlsplit(settings.OFFLOAD_SANDBOX_URL).port or 8001
        try:
            ensure_defaults(
                inbox_id=settings.AGENTMAIL_INBOX_ID,
                webhook_url=settings.OFFLOAD_SANDBOX_WEBHOOK_URL,
                webhook_secret=settings.AGENTMAIL_WEBHOOK_SECRETS[0],
                now=timezone.now(),
            )
        except ProgrammingError as error:
            raise CommandError("The sandbox's tables are missing; run `python manage.py migrate` first.") from error
        except OperationalError as error:
            raise CommandError(f"The database does not answer; start it or set DATABASE_URL. ({error})") from error
        # The worker is a fork and must not share a connection with its parent.
        connections.close_all()
        # Cookies know no ports: with the web's name for it, a login in the admin would void every open mailbox page.
        settings.CSRF_COOKIE_NAME = "sandbox_csrftoken"
        SandboxServer(port, URLCONF, lambda: self._announce(port)).run()

    def _check_settings(self) -> None:
        if not settings.OFFLOAD_SANDBOX:
            raise CommandError(
                "OFFLOAD_SANDBOX is off, and then mail goes to the real provider; set OFFLOAD_SANDBOX=1 to run the "
                "sandbox."
            )
        for name in ("AGENTMAIL_API_KEY", "AGENTMAIL_INBOX_ID", "AGENTMAIL_WEBHOOK_SECRETS"):
            if not getattr(settings, name):
                raise CommandError(f"{name} is not set; give the sandbox the same value as the web and the worker.")
        try:
            Signer(settings.AGENTMAIL_WEBHOOK_SECRETS[0])
        except Exception as error:
            raise CommandError("AGENTMAIL_WEBHOOK_SECRETS must hold whsec_ followed by Base64.") from error

    def _announce(self, port: int) -> None:
        self.stdout.write(f"Sandbox mailbox: http://127.0.0.1:{port}/sandbox/")
        self.stdout.flush()
