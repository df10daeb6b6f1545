import django.db.models.deletion
from django.db import migrations, models

KINDS = (
    "CASE_CREATED",
    "FOLLOW_UP_DUE",
    "RECHECK_DUE",
    "REPLY_RECEIVED",
    "INPUT_PROVIDED",
    "DELIVERY_FAILED",
    "CASE_CANCELLED",
    "CASE_CLOSED",
    "CASE_PAUSED",
    "CASE_RESUMED",
    "REEVALUATION_ASKED",
)


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0007_case_paused_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="CaseNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("author", models.CharField(max_length=200)),
                ("body", models.TextField()),
                ("created_at", models.DateTimeField()),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notes", to="cases.case"
                    ),
                ),
            ],
            options={"ordering": ["created_at", "id"], "default_permissions": ("add", "view")},
        ),
        migrations.AlterModelOptions(
            name="apikey",
            options={
                "ordering": ["-created_at"],
                "permissions": [
                    ("create_apikey", "Can make a key for a client"),
                    ("revoke_apikey", "Can revoke a client's key"),
                ],
                "verbose_name": "API key",
            },
        ),
        migrations.AlterModelOptions(
            name="case",
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("answer_case", "Can answer a case's question"),
                    ("cancel_case", "Can cancel a case"),
                    ("pause_case", "Can pause and resume a case"),
                    ("send_follow_up", "Can have a case's next follow-up sent at once"),
                    ("reevaluate_case", "Can have a case's last reply evaluated again"),
                    ("close_case", "Can close a live case by hand"),
                ],
            },
        ),
        migrations.AddField(
            model_name="inputrequest",
            name="answering_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="inputrequest",
            name="answering_by",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="caseevent",
            name="kind",
            field=models.CharField(choices=[(kind, kind) for kind in KINDS], max_length=32),
        ),
    ]
