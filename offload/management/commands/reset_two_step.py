"""`manage.py reset_two_step USERNAME`: lets somebody in who lost phone and recovery codes; must not show a secret."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from offload.signing_in import devices

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Removes a person's authenticator app and recovery codes and signs them out everywhere: the password alone "
        "signs them in again. Make sure first that it is this person who asks. A second call is harmless."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="the name that the person signs in with")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["username"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f'Nobody signs in as "{name}"; the admin lists everybody under Users.')
        was_on = devices.remove(user)
        ended = devices.end_sessions(user, timezone.now())
        logger.info("two-step login of user %s was reset, %s sessions ended", user.pk, ended)
        what = "is off" if was_on else "was off already"
        self.stdout.write(f"Two-step login of {name} {what}. Sessions that were ended: {ended}.")
