from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # CREATE INDEX CONCURRENTLY does not run inside a transaction.
    atomic = False

    dependencies = [
        ("cases", "0006_case_paused"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="case",
            index=models.Index(fields=["id"], name="case_paused", condition=Q(paused_at__isnull=False)),
        ),
    ]
