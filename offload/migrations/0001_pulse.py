from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Pulse",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=8)),
                ("beaten_at", models.DateTimeField()),
                ("polled_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
