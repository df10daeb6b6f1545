"""Checks the rows that are there, under a lock that stops nobody who reads or writes."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0004_held_while_pending"),
    ]

    operations = [
        ValidateConstraint(model_name="delivery", name="webhooks_delivery_held_while_pending"),
    ]
