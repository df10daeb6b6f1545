"""`manage.py ensure_queues`: creates or mends the SQS queue and its dead-letter queue; never deletes anything."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from offload.queues import QueueFault, Queues


class Command(BaseCommand):
    help = (
        "Creates the SQS queue and its dead-letter queue, or sets on them what Offload needs, and prints each change. "
        "Running it again changes nothing. What lands in the dead-letter queue needs nobody: the work is in PostgreSQL."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            queues = Queues()
            changes = queues.ensure()
        except QueueFault as fault:
            raise CommandError(str(fault)) from None
        for change in changes:
            self.stdout.write(change)
        if not changes:
            self.stdout.write(f"The queue {queues.name} is as it should be.")
