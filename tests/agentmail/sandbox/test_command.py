"""`manage.py sandbox` refuses to start in a sentence that names the setting."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from pytest_django.fixtures import Settings

from agentmail.sandbox.models import Inbox


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("OFFLOAD_SANDBOX", False, "set OFFLOAD_SANDBOX=1"),
        ("AGENTMAIL_API_KEY", "", "AGENTMAIL_API_KEY is not set"),
        ("AGENTMAIL_INBOX_ID", "", "AGENTMAIL_INBOX_ID is not set"),
        ("AGENTMAIL_WEBHOOK_SECRETS", [], "AGENTMAIL_WEBHOOK_SECRETS is not set"),
        ("AGENTMAIL_WEBHOOK_SECRETS", ["whsec_"], "AGENTMAIL_WEBHOOK_SECRETS must hold whsec_"),
        ("AGENTMAIL_WEBHOOK_SECRETS", ["whsec_a"], "AGENTMAIL_WEBHOOK_SECRETS must hold whsec_"),
    ],
)
def test_without_what_it_needs_it_says_so_and_makes_nothing(
    settings: Settings, name: str, value: object, sentence: str
) -> None:
    setattr(settings, name, value)
    with pytest.raises(CommandError, match=sentence):
        call_command("sandbox")
    assert not Inbox.objects.exists()


@pytest.mark.django_db
def test_without_its_tables_it_asks_for_migrate() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sandbox_inbox RENAME TO sandbox_inbox_away")
    with pytest.raises(CommandError, match=r"run `python manage.py migrate` first"):
        call_command("sandbox")
