"""What the recorder notes, on the product's own tables: a send that is begun, before or after the case's end."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.utils import timezone

from agentmail.models import OutboundEmail
from agentmail.services import begin_attempt
from cases import services
from tests.cases.handlers.conftest import DRAFT, Desk, accept, desk, new_case, provider
from tests.chaos.recorder import INSTALL

__all__ = ["desk", "new_case", "provider"]

ORDER = """
    SELECT string_agg(what, ', ' ORDER BY at) FROM (
        SELECT at, 'begun' AS what FROM chaos_send_step WHERE case_id = %s
         UNION ALL SELECT at, status FROM chaos_case_step WHERE case_id = %s) AS noted
"""


def read_order(desk: Desk) -> str:
    with connection.cursor() as cursor:
        cursor.execute(ORDER, [desk.case.id, desk.case.id])
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_a_send_that_is_begun_after_the_end_is_told_from_one_before_it(desk: Desk) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSTALL)
    desk.agent.will(DRAFT)
    desk.provider.play(accept("<out@offload.example>"))
    desk.work()
    services.cancel_case(desk.case.id, by="sam", now=timezone.now())
    assert read_order(desk) == "begun, RUNNING, FAILED"

    # What no worker does: an attempt without a look at the case.
    OutboundEmail.objects.update(state="unknown")
    with transaction.atomic():
        begin_attempt(OutboundEmail.objects.get().id, timezone.now())

    assert read_order(desk) == "begun, RUNNING, FAILED, begun"
