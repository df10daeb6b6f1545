from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # CREATE INDEX CONCURRENTLY does not run inside a transaction.
    atomic = False

    dependencies = [
        ("agentmail", "0004_provider_account"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="outboundemail",
            index=models.Index(
                name="outbound_unsettled",
                fields=["frozen_at"],
                condition=Q(state__in=["frozen", "sending", "unknown"]),
            ),
        ),
    ]
