from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0005_agent_spending"),
    ]

    operations = [
        migrations.AddField(
            model_name="case",
            name="paused_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
