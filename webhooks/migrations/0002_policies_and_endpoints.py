"""What clients opt in to, their secrets, how their endpoints fare; all of it beside what old code knows."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeliveryPolicy",
            fields=[
                ("subscriber", models.UUIDField(primary_key=True, serialize=False)),
                ("signs", models.BooleanField(default=False)),
                ("retries", models.BooleanField(default=False)),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "delivery policies",
            },
        ),
        migrations.CreateModel(
            name="SigningSecret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subscriber", models.UUIDField()),
                ("salt", models.BinaryField(max_length=32)),
                ("fingerprint", models.CharField(max_length=12)),
                ("created_at", models.DateTimeField()),
                ("created_by", models.TextField(blank=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [("rotate_secret", "Can change how a client's webhooks are signed and retried")],
            },
        ),
        migrations.AlterModelOptions(
            name="delivery",
            options={
                "permissions": [("resend_delivery", "Can send a delivery again")],
                "verbose_name_plural": "deliveries",
            },
        ),
        migrations.AddField(
            model_name="delivery",
            name="asked_by",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="delivery",
            name="subscriber",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="tries",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="deliveryattempt",
            name="asked_by",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="deliveryattempt",
            name="signatures",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="DeliveryTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("outcome", models.CharField(max_length=16)),
                ("part", models.PositiveSmallIntegerField()),
                ("attempts", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("outcome", "part"), name="webhooks_total_once_per_part")
                ],
            },
        ),
        migrations.CreateModel(
            name="Endpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subscriber", models.UUIDField()),
                ("origin", models.TextField()),
                ("url_digest", models.CharField(max_length=64)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("last_failure_at", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True)),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                ("resumed_at", models.DateTimeField(blank=True, null=True)),
                ("resumed_by", models.TextField(blank=True)),
            ],
            options={
                "permissions": [("resume_endpoint", "Can resume a paused endpoint")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("paused_at__isnull", False)),
                        fields=["paused_at"],
                        name="webhooks_endpoint_paused",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("subscriber", "url_digest"), name="webhooks_endpoint_once")
                ],
            },
        ),
        migrations.AddField(
            model_name="delivery",
            name="held_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="held",
                to="webhooks.endpoint",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingsecret",
            constraint=models.UniqueConstraint(
                condition=models.Q(("expires_at__isnull", True)),
                fields=("subscriber",),
                name="webhooks_secret_one_stays",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingsecret",
            constraint=models.UniqueConstraint(fields=("subscriber", "fingerprint"), name="webhooks_secret_told_apart"),
        ),
    ]
