"""Refuses a delivery that is held and not pending; for rows to come at once, without a look at those that are there."""

import datetime

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0003_delivery_indexes"),
    ]

    operations = [
        AddConstraintNotValid(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("held_by__isnull", True),
                    models.Q(
                        ("next_attempt_at", datetime.datetime(9999, 12, 31, 0, 0, tzinfo=datetime.UTC)),
                        ("state", "pending"),
                    ),
                    _connector="OR",
                ),
                name="webhooks_delivery_held_while_pending",
            ),
        ),
    ]
