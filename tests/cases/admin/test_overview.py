"""Where staff land: what waits for a person, for those who may see it."""

from __future__ import annotations

import re

from django.test import Client as HttpClient

from cases import ledger
from cases.models import Case, CaseEvent, InputRequest
from cases.workflow import EventKind
from tests.cases.admin.conftest import ASKED_AT, sign_in
from tests.cases.factories import CaseFactory


def read_links(browser: HttpClient) -> list[tuple[str, str]]:
    """Returns (address, words) of what the overview leads to."""
    body = browser.get("/admin/").content.decode()
    return re.findall(r'<a href="([^"]+)"><strong>([^<]+)</strong></a>', body)


def give_up_steps(case: Case, *keys: str) -> None:
    for key in keys:
        recorded = ledger.record(case_id=case.id, kind=EventKind.REPLY_RECEIVED, key=key, payload={})
        CaseEvent.objects.filter(pk=recorded.event_id).update(status="dead", finished_at=ASKED_AT)


def test_the_overview_counts_what_waits_and_leads_there(reader: HttpClient, waiting_case: Case) -> None:
    other = CaseFactory.create(status="INPUT_NEEDED")
    InputRequest.objects.create(case=other, question="?", requested_at=ASKED_AT)
    answered = CaseFactory.create(status="INPUT_NEEDED")
    InputRequest.objects.create(
        case=answered, question="?", requested_at=ASKED_AT, status="RESOLVED", resolved_at=ASKED_AT, answer="Yes"
    )
    give_up_steps(CaseFactory.create(status="RUNNING"), "a", "b")
    give_up_steps(CaseFactory.create(status="FAILED", result_status="evaluation_failed"), "c")

    links = read_links(reader)

    assert links == [
        ("/admin/cases/case/?state=INPUT_NEEDED", "2 cases need an answer"),
        ("/admin/cases/case/?state=STUCK", "1 case is stuck"),
        ("/admin/cases/case/", "All cases"),
    ]
    for url, rows in zip([url for url, _ in links], [2, 1, 5], strict=True):
        assert reader.get(url).content.decode().count('<th class="field-counterparty') == rows


def test_a_quiet_day_is_quiet(reader: HttpClient) -> None:
    body = reader.get("/admin/").content.decode()

    assert "No case needs an answer" in body
    assert "No case is stuck" in body
    assert "panel-human" not in body
    assert 'class="count"' not in body


def test_every_page_says_how_many_need_an_answer(reader: HttpClient, waiting_case: Case) -> None:
    for url in ("/admin/", "/admin/cases/case/", f"/admin/cases/case/{waiting_case.id}/change/"):
        body = reader.get(url).content.decode()
        assert '?state=INPUT_NEEDED">Needs an answer <span class="count">1</span></a>' in body


def test_who_may_not_see_cases_learns_no_number(waiting_case: Case) -> None:
    body = sign_in("nora", "webhooks.view_delivery").get("/admin/").content.decode()

    assert "need" not in re.sub(r"<[^>]+>", " ", body)
    assert "/admin/webhooks/delivery/" in body


def test_the_tables_are_left_out_folded_or_open_by_what_somebody_may_do(reader: HttpClient, admin: HttpClient) -> None:
    viewer = sign_in("vera", "cases.view_case", "webhooks.view_delivery")

    bodies = [browser.get("/admin/").content.decode() for browser in (reader, viewer, admin)]

    folds = [re.findall(r'<details class="tables"[^>]*>', body) for body in bodies]
    assert folds == [[], ['<details class="tables">'], ['<details class="tables" open>']]
    assert "/admin/webhooks/delivery/" not in bodies[0]
