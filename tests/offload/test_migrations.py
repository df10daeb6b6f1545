"""Old code goes on while a migration runs and after it: every migration only adds what old code can do without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from tests.cases.factories import CaseFactory
from webhooks.models import Delivery
from webhooks.services import record_delivery

APPS = ("agentmail", "cases", "webhooks")
FIRST = "0001_initial"
# What a migration may do although the rules below refuse it, and why old code does not mind.
ALLOWED = {
    ("cases", "0002_client_contract", "RunSQL"): "sets a table of this same migration to UNLOGGED",
    ("cases", "0002_client_contract", "AddIndex case"): "from before the first release: no installation has rows",
    ("cases", "0003_case_of_client_with_address", "AddIndex case"): "from before the first release",
    ("cases", "0008_staff_actions", "AlterField caseevent"): "more choices, of which the database knows nothing",
    ("cases", "0010_groups", "RunPython"): "adds groups and permissions, and takes nothing away",
    ("cases", "0012_subscribers_of_deliveries", "RunPython"): "fills a column that old code does not know",
    ("webhooks", "0004_held_while_pending", "AddConstraintNotValid delivery"): "old code writes no held_by",
}
HARMLESS = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    AddIndexConcurrently,
    ValidateConstraint,
)


def find_faults(operations: Sequence[Operation]) -> Iterator[tuple[str, str]]:
    """Yields (operation, why old code would break) for each operation that old code must not meet."""
    made_here: set[str] = set()
    for operation in operations:
        model = str(getattr(operation, "model_name", "")).lower()
        name = f"{type(operation).__name__} {model}".strip()
        if isinstance(operation, migrations.CreateModel):
            made_here.add(operation.name_lower)
        if model in made_here or isinstance(operation, HARMLESS):
            continue
        match operation:
            case migrations.AddField():
                field = operation.field
                if not (field.null or field.has_db_default()):
                    yield name, "old code inserts rows without the column: give it null=True or db_default"
            case migrations.AddIndex():
                yield name, "it stops every write while it is built: use AddIndexConcurrently"
            case migrations.RemoveField() | migrations.DeleteModel():
                yield name, "old code still reads it: remove it one release after the last code that names it"
            case migrations.RenameField() | migrations.RenameModel() | migrations.AlterModelTable():
                yield name, "old code knows the old name: add the new one, and remove the old one a release later"
            case migrations.AddConstraint() | migrations.AlterField():
                yield name, "old code may write what it refuses: say in ALLOWED why it does not"
            case migrations.RemoveIndex() | migrations.RemoveConstraint():
                continue
            case _:
                yield name, "nobody can tell what old code makes of it: say so in ALLOWED"


def list_migrations() -> list[tuple[str, str, Sequence[Operation]]]:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return sorted(
        ((app, name, migration.operations) for (app, name), migration in loader.disk_migrations.items() if app in APPS),
        key=lambda found: found[:2],
    )


def test_no_migration_breaks_the_code_that_still_serves() -> None:
    faults = [
        f"{app}.{name}: {operation}: {why}"
        for app, name, operations in list_migrations()
        if name != FIRST
        for operation, why in find_faults(operations)
        if (app, name, operation) not in ALLOWED
    ]

    assert faults == []


def test_every_exception_is_still_needed() -> None:
    found = {
        (app, name, operation)
        for app, name, operations in list_migrations()
        for operation, _ in find_faults(operations)
    }

    assert set(ALLOWED) <= found


TEXT = models.TextField()


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (migrations.AddField("case", "mood", TEXT), "without the column"),
        (migrations.AddField("case", "mood", models.TextField(default="")), "without the column"),
        (migrations.RemoveField("case", "objective"), "still reads it"),
        (migrations.DeleteModel("Case"), "still reads it"),
        (migrations.RenameField("case", "objective", "aim"), "the old name"),
        (migrations.RenameModel("Case", "Matter"), "the old name"),
        (migrations.AlterModelTable("case", "matter"), "the old name"),
        (migrations.AlterField("case", "objective", models.CharField(max_length=9)), "what it refuses"),
        (migrations.AddIndex("case", models.Index(fields=["status"], name="x")), "AddIndexConcurrently"),
        (
            migrations.AddConstraint("case", models.UniqueConstraint(fields=["status"], name="x")),
            "what it refuses",
        ),
        (migrations.RunPython(migrations.RunPython.noop), "nobody can tell"),
        (migrations.RunSQL("SELECT 1"), "nobody can tell"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Operation) else None,
)
def test_each_rule_bites(operation: Operation, why: str) -> None:
    ((_, found),) = find_faults([operation])

    assert why in found


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("case", "mood", models.TextField(null=True)),
        migrations.AddField("case", "mood", models.TextField(db_default="")),
        AddIndexConcurrently("case", models.Index(fields=["status"], name="x")),
        migrations.RemoveIndex("case", "x"),
        migrations.RemoveConstraint("case", "x"),
        migrations.AlterModelOptions("case", {}),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_only_adds_is_let_through(operation: Operation) -> None:
    assert list(find_faults([operation])) == []


def test_a_table_of_the_same_migration_may_be_made_in_steps() -> None:
    made = migrations.CreateModel("Mood", [("id", models.BigAutoField(primary_key=True))])

    assert list(find_faults([made, migrations.AddField("mood", "word", TEXT)])) == []


@pytest.mark.django_db
def test_the_database_takes_a_row_of_the_first_release() -> None:
    """The rules read operations; this reads the columns that came of them."""
    loader = MigrationLoader(connection)
    for app in APPS:
        state = loader.project_state((app, FIRST))
        for model in state.apps.get_app_config(app).get_models():
            known = {field.column for field in model._meta.local_fields}
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT column_name FROM information_schema.columns"
                    " WHERE table_schema = 'public' AND table_name = %s"
                    " AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'",
                    [model._meta.db_table],
                )
                demanded = {column for (column,) in cursor.fetchall()}
            assert demanded, f"{model._meta.db_table} is gone"
            assert demanded <= known


@pytest.mark.django_db
def test_a_webhook_from_before_subscribers_gets_the_client_of_its_case_and_another_stays_as_it_is() -> None:
    case, subscriber = CaseFactory.create(), uuid4()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    old = record_delivery(owner=case.id, url="https://a.example", event_id="1", event_type="t", body={}, now=now)
    stray = record_delivery(owner=uuid4(), url="https://a.example", event_id="2", event_type="t", body={}, now=now)
    named = record_delivery(
        owner=case.id, url="https://a.example", event_id="3", event_type="t", body={}, now=now, subscriber=subscriber
    )

    name_subscribers = import_module("cases.migrations.0012_subscribers_of_deliveries").name_subscribers
    name_subscribers(None, SimpleNamespace(connection=connection))

    found = dict(Delivery.objects.values_list("id", "subscriber"))
    assert found == {old.id: case.client_id, stray.id: None, named.id: subscriber}
