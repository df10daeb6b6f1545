"""Indexes of a table that is written all the time, so they are built beside it."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("webhooks", "0002_policies_and_endpoints"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("held_by__isnull", False)), fields=["held_by"], name="webhooks_delivery_held"
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state__in", ("failed", "unknown"))),
                fields=["subscriber", "finished_at"],
                name="webhooks_delivery_undelivered",
            ),
        ),
    ]
