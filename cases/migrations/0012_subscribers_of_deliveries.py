"""Names the client of each webhook that was recorded before webhooks knew one.

In batches, each a transaction of its own, so that no worker waits for the whole table. It may be stopped and run again.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

BATCH = 5000
# By primary key, so that each batch begins where the last one ended and no row is read twice.
NAME = """
    WITH batch AS (
        SELECT id FROM webhooks_delivery WHERE id > %s ORDER BY id LIMIT %s
    ), named AS (
        UPDATE webhooks_delivery AS delivery SET subscriber = found.client_id
          FROM cases_case AS found
         WHERE delivery.id IN (SELECT id FROM batch) AND delivery.subscriber IS NULL AND found.id = delivery.owner
    )
    SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""
FIRST = "00000000-0000-0000-0000-000000000000"


def name_subscribers(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    last: object = FIRST
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(NAME, [last, BATCH])
            row = cursor.fetchone()
            if row is None:
                return
            last = row[0]


class Migration(migrations.Migration):
    # Else all batches were one transaction.
    atomic = False

    dependencies = [
        ("cases", "0011_keep_and_forget"),
        ("webhooks", "0003_delivery_indexes"),
    ]

    operations = [
        migrations.RunPython(name_subscribers, migrations.RunPython.noop, elidable=True),
    ]
