"""The lists of mail and of everything else: what a row says, and that no list reads its table to the end."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib import admin as django_admin
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agentmail.models import InboundEmail, OutboundEmail, ProviderEvent
from cases.paging import QuickPaginator
from tests.cases.factories import CaseFactory

OUT = "/admin/agentmail/outboundemail/"
IN = "/admin/agentmail/inboundemail/"
AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def read_rows(browser: HttpClient, url: str) -> list[list[str]]:
    response = browser.get(url)
    assert response.status_code == 200
    body = response.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    return [[cell for cell in re.split(r"\s*(?:<[^>]+>\s*)+", row) if cell] for row in body.split("<tr>")[1:]]


def write(owner: UUID, state: str = "frozen", frozen_at: datetime = AT, **values: Any) -> OutboundEmail:
    ids = {"reference": str(uuid4()), "idempotency_key": str(uuid4()), "label": str(uuid4())}
    return OutboundEmail.objects.create(
        **ids,
        owner=owner,
        inbox_id="agent@offload.example",
        to_address="maya@vendor.example",
        text="A long letter",
        payload="{}",
        state=state,
        frozen_at=frozen_at,
        **values,
    )


def receive(owner: UUID | None = None, **values: Any) -> InboundEmail:
    event = ProviderEvent.objects.create(event_id=str(uuid4()), kind="ignored", payload={}, received_at=AT)
    return InboundEmail.objects.create(
        event=event,
        inbox_id="agent@offload.example",
        message_id=str(uuid4()),
        thread_id="t",
        from_address="ola@fjord.example",
        received_at=AT,
        owner=owner,
        matched_at=AT if owner else None,
        text="A long letter",
        **values,
    )


def test_a_mail_of_ours_says_how_it_stands_and_leads_to_its_case(admin: HttpClient) -> None:
    case = CaseFactory.create()
    write(case.pk, subject="W-9", last_error="AgentMail answered 401.")

    [row] = read_rows(admin, OUT)

    link = f"/admin/cases/case/{case.pk}/change/"
    assert row == [
        "W-9",
        "maya@vendor.example",
        "Not sent yet",
        "AgentMail answered 401.",
        "0",
        "24 Nov 2026, 10:00",
        "—",
        f"Case {str(case.pk)[:8]}…",
    ]
    assert f'<a href="{link}">' in admin.get(OUT).content.decode()


def test_only_mail_that_should_have_left_is_held(admin: HttpClient) -> None:
    now = timezone.now()
    write(uuid4(), subject="Held", frozen_at=now - timedelta(minutes=20))
    write(uuid4(), subject="Leaving", frozen_at=now)
    write(uuid4(), state="abandoned", subject="Overtaken", frozen_at=now - timedelta(hours=2))

    assert [row[0] for row in read_rows(admin, f"{OUT}?held=1")] == ["Held"]
    assert len(read_rows(admin, OUT)) == 3


def test_received_mail_says_what_it_is_and_whose(admin: HttpClient) -> None:
    case = CaseFactory.create()
    receive(case.pk, subject="Re: W-9", automatic="out_of_office")
    receive(subject="Invoice \u202efdp.exe")

    rows = {row[0]: row[1:] for row in read_rows(admin, IN)}

    assert rows == {
        "Re: W-9": ["ola@fjord.example", "Out of office", "24 Nov 2026, 10:00", f"Case {str(case.pk)[:8]}…"],
        "Invoice [U+202E]fdp.exe": ["ola@fjord.example", "A person&#x27;s words", "24 Nov 2026, 10:00", "No case"],
    }


@pytest.mark.parametrize(("query", "subjects"), [("1", ["Nobody's"]), ("0", ["Somebody's"])])
def test_mail_is_filtered_by_whether_it_found_its_case(admin: HttpClient, query: str, subjects: list[str]) -> None:
    receive(subject="Nobody's")
    receive(uuid4(), subject="Somebody's")

    rows = read_rows(admin, f"{IN}?owner__isempty={query}")

    assert [row[0].replace("&#x27;", "'") for row in rows] == subjects


@pytest.mark.parametrize("url", [OUT, IN])
def test_a_list_of_mail_reads_no_letter_and_asks_no_query_a_row(admin: HttpClient, url: str) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert "A long letter" not in admin.get(url).content.decode()
        assert not any('"text"' in query["sql"] for query in captured.captured_queries)
        return len(captured)

    write(uuid4())
    receive()
    one = count()
    for _ in range(5):
        write(uuid4())
        receive(uuid4())

    assert count() == one


def test_no_list_of_the_console_counts_its_table_to_the_end(db: None) -> None:
    registered = list(django_admin.site._registry.values())

    assert len(registered) > 10
    assert [str(found) for found in registered if found.paginator is not QuickPaginator] == []
    assert [str(found) for found in registered if found.show_full_result_count] == []


def test_every_list_opens_and_says_so_when_it_is_empty(admin: HttpClient) -> None:
    for model in ("agentmail/suppressedaddress", "agentmail/declinedaddress", "agentmail/inboundemail", "cases/apikey"):
        body = admin.get(f"/admin/{model}/").content.decode()
        assert '<p class="empty"><strong>Nothing here.</strong>' in body
        assert "<style" not in body
        assert "style=" not in body
