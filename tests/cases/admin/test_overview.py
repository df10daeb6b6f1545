"""Where staff land: what waits for a person and how the cases are doing, each block for those who may see it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext

from agentmail.models import InboundEmail, OutboundEmail, ProviderEvent
from cases import ledger
from cases.admin.overview import figures
from cases.admin.overview.gathering import Overview, gather_overview
from cases.admin.overview.needs import Queue
from cases.models import Case, CaseEvent, InputRequest
from cases.workflow import EventKind
from tests.cases.admin.conftest import ASKED_AT, make_page_url, sign_in
from tests.cases.factories import CaseFactory
from webhooks.models import Delivery

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
ALL = (
    "cases.view_case",
    "cases.answer_case",
    "agentmail.view_outboundemail",
    "agentmail.view_inboundemail",
    "webhooks.view_delivery",
)


def look(*permissions: str) -> Overview:
    """Returns the page of somebody with these permissions, as of NOW."""
    username = f"user-{uuid4()}"
    sign_in(username, *permissions)
    return gather_overview(User.objects.get(username=username), NOW)


def find_queue(overview: Overview, key: str) -> Queue:
    [queue] = [queue for queue in overview.queues if queue.key == key]
    return queue


def ask(case: Case, waited: timedelta, **values: Any) -> InputRequest:
    return InputRequest.objects.create(case=case, question="Which name?", requested_at=NOW - waited, **values)


def give_up_a_step(case: Case, at: datetime, reason: str = "ValueError: no text") -> None:
    recorded = ledger.record(case_id=case.id, kind=EventKind.REPLY_RECEIVED, key=f"{uuid4()}", payload={})
    CaseEvent.objects.filter(pk=recorded.event_id).update(status="dead", finished_at=at, last_error=reason)


def hold_mail(minutes: int, state: str = "frozen", owner: UUID | None = None, **values: Any) -> OutboundEmail:
    frozen_at = NOW - timedelta(minutes=minutes)
    attempted = {"first_attempt_at": frozen_at, "last_attempt_at": frozen_at, "attempts": 1}
    sent = {"message_id": "m", "thread_id": "t", "sent_at": frozen_at}
    return OutboundEmail.objects.create(
        owner=owner or uuid4(),
        reference=str(uuid4()),
        inbox_id="agent@offload.example",
        to_address="maya@vendor.example",
        subject=f"{minutes} minutes",
        text="Hello",
        payload="{}",
        idempotency_key=str(uuid4()),
        label=str(uuid4()),
        state=state,
        frozen_at=frozen_at,
        **(attempted if state in ("sending", "unknown") else sent if state == "sent" else {}),
        **values,
    )


def fail_webhook(ago: timedelta, state: str = "failed") -> Delivery:
    at = NOW - ago
    return Delivery.objects.create(
        owner=uuid4(),
        event_id=str(uuid4()),
        event_type="case.completed",
        url="https://hooks.example.com/s3cret",
        body="{}",
        state=state,
        created_at=at,
        finished_at=at,
        last_error="The endpoint answered 500.",
    )


def receive(ago: timedelta, owner: UUID | None = None) -> InboundEmail:
    event = ProviderEvent.objects.create(event_id=str(uuid4()), kind="ignored", payload={}, received_at=NOW - ago)
    return InboundEmail.objects.create(
        event=event,
        inbox_id="agent@offload.example",
        message_id=str(uuid4()),
        thread_id="t",
        from_address="ola@fjord.example",
        subject="Who reads this?",
        received_at=NOW - ago,
        owner=owner,
        matched_at=NOW if owner else None,
    )


def test_who_waits_longest_stands_first_with_the_link_to_the_form(db: None) -> None:
    for hours in (2, 5, 50):
        ask(CaseFactory.create(status="INPUT_NEEDED", counterparty_name=f"{hours} h"), timedelta(hours=hours))
    answered = CaseFactory.create(status="INPUT_NEEDED")
    ask(answered, timedelta(hours=99), status="RESOLVED", resolved_at=NOW, answer="Yes", answered_by="sam")

    queue = find_queue(look("cases.view_case", "cases.answer_case"), "questions")

    first = Case.objects.get(counterparty_name="50 h")
    assert queue.count == "3"
    assert [(row.about, row.waited, row.verb) for row in queue.rows] == [
        ("50 h", "waits 2 days", "Answer"),
        ("5 h", "waits 5 hours", "Answer"),
        ("2 h", "waits 2 hours", "Answer"),
    ]
    assert queue.rows[0].url == f"{make_page_url(first)}#question"
    assert queue.list_url == "/admin/cases/case/?state=INPUT_NEEDED"


def test_who_may_not_answer_is_offered_to_read(db: None) -> None:
    ask(CaseFactory.create(status="INPUT_NEEDED"), timedelta(hours=1))

    [row] = find_queue(look("cases.view_case"), "questions").rows

    assert row.verb == "Read"


def test_a_question_says_who_else_is_answering(db: None) -> None:
    ask(CaseFactory.create(status="INPUT_NEEDED"), timedelta(hours=1), answering_by="rita", answering_at=NOW)
    long_ago = NOW - timedelta(hours=1)
    ask(CaseFactory.create(status="INPUT_NEEDED"), timedelta(minutes=5), answering_by="ben", answering_at=long_ago)

    first, second = find_queue(look(*ALL), "questions").rows

    assert (first.note, second.note) == ("rita is answering", "")


def test_a_question_of_a_case_whose_clock_was_moved_waits_on_that_clock(db: None) -> None:
    case = CaseFactory.create(status="INPUT_NEEDED", clock_offset=timedelta(days=9))
    ask(case, -timedelta(days=9) + timedelta(minutes=1))

    [row] = find_queue(look(*ALL), "questions").rows

    assert row.waited == "waits 1 minute"


def test_five_rows_are_shown_and_a_hundred_counted(db: None) -> None:
    for _ in range(101):
        ask(CaseFactory.create(status="INPUT_NEEDED"), timedelta(hours=1))

    queue = find_queue(look(*ALL), "questions")

    assert (queue.count, len(queue.rows)) == ("100+", 5)


def test_a_step_that_was_given_up_says_what_happens_if_nobody_acts(db: None) -> None:
    case = CaseFactory.create(status="RUNNING")
    give_up_a_step(case, NOW - timedelta(hours=3))
    give_up_a_step(CaseFactory.create(status="FAILED", result_status="evaluation_failed"), NOW)

    queue = find_queue(look(*ALL), "dead")

    [row] = queue.rows
    assert queue.count == "1"
    assert (row.title, row.waited, row.url) == ("Mail received", "given up 3 hours ago", make_page_url(case))
    assert row.note == "ValueError: no text Unless somebody acts, the case ends 4 Dec 2026, 09:00 UTC."


def test_mail_that_does_not_leave_is_held(db: None) -> None:
    case = CaseFactory.create()
    hold_mail(14)
    hold_mail(16, "unknown", last_error="AgentMail answered 500.")
    hold_mail(90, "frozen", owner=case.pk)
    hold_mail(99, "sent")
    hold_mail(99, "abandoned")

    queue = find_queue(look(*ALL), "held")

    assert queue.count == "2"
    assert [(row.title, row.note, row.waited) for row in queue.rows] == [
        ("90 minutes", "It was not tried yet: is a worker running?", "waits 1 hour"),
        ("16 minutes", "AgentMail answered 500.", "waits 16 minutes"),
    ]
    assert queue.rows[0].url == make_page_url(case)


def test_who_may_not_see_cases_is_led_to_the_mail_itself(db: None) -> None:
    mail = hold_mail(30)

    [row] = find_queue(look("agentmail.view_outboundemail"), "held").rows

    assert row.url == f"/admin/agentmail/outboundemail/{mail.pk}/change/"


def test_webhooks_of_the_last_week_that_failed_are_shown_without_their_secret(db: None) -> None:
    fail_webhook(timedelta(hours=1))
    newest = fail_webhook(timedelta(minutes=5), "unknown")
    fail_webhook(timedelta(days=8))
    fail_webhook(timedelta(hours=1), "delivered")

    queue = find_queue(look(*ALL), "webhooks")

    assert queue.count == "2"
    assert [(row.about, row.waited) for row in queue.rows] == [
        ("hooks.example.com", "5 minutes ago"),
        ("hooks.example.com", "1 hour ago"),
    ]
    assert queue.rows[0].url == f"/admin/webhooks/delivery/{newest.pk}/change/"


def test_mail_of_the_last_week_without_a_case_is_shown(db: None) -> None:
    mail = receive(timedelta(hours=2))
    receive(timedelta(hours=1), owner=uuid4())
    receive(timedelta(days=8))

    queue = find_queue(look(*ALL), "unmatched")

    assert [(row.title, row.about, row.url) for row in queue.rows] == [
        ("Who reads this?", "ola@fjord.example", f"/admin/agentmail/inboundemail/{mail.pk}/change/")
    ]


@pytest.mark.parametrize(
    ("permission", "keys"),
    [
        ("cases.view_case", ["questions", "dead"]),
        ("agentmail.view_outboundemail", ["held"]),
        ("agentmail.view_inboundemail", ["unmatched"]),
        ("webhooks.view_delivery", ["webhooks"]),
        ("cases.view_client", []),
    ],
)
def test_each_block_is_for_those_who_may_see_what_it_counts(db: None, permission: str, keys: list[str]) -> None:
    ask(CaseFactory.create(status="INPUT_NEEDED"), timedelta(hours=1))

    overview = look(permission)

    sees_cases = permission == "cases.view_case"
    assert [queue.key for queue in overview.queues] == keys
    assert overview.has_cases is (True if sees_cases else None)
    assert bool(overview.statuses) is bool(overview.charts) is bool(overview.due) is sees_cases


def test_a_user_without_any_permission_learns_no_number(waiting_case: Case) -> None:
    CaseFactory.create(status="FAILED", result_status="BOUNCED")

    body = sign_in("nora").get("/admin/").content.decode()

    main = body.partition("<main")[2].partition(">")[2].partition("</main>")[0]
    assert "<h1>Overview</h1>" in main
    assert re.findall(r"\d", re.sub(r"<[^>]+>|&#x27;", " ", main)) == []
    assert "/admin/cases/case/" not in body


def test_the_statuses_are_counted(db: None) -> None:
    CaseFactory.create_batch(2, status="RUNNING")
    CaseFactory.create_batch(3, status="COMPLETED", result_status="goal_achieved")

    counted = look(*ALL).statuses

    assert [(figure.label, figure.number, figure.url) for figure in counted] == [
        ("Queued", "0", "/admin/cases/case/?state=CREATED"),
        ("Running", "2", "/admin/cases/case/?state=RUNNING"),
        ("Needs an answer", "0", "/admin/cases/case/?state=INPUT_NEEDED"),
        ("Completed", "3", "/admin/cases/case/?state=COMPLETED"),
        ("Failed", "0", "/admin/cases/case/?state=FAILED"),
    ]


def test_a_status_of_more_cases_than_are_counted_is_estimated(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "COUNT_CAP", 1_000)
    CaseFactory.create()
    first = Case.objects.values().get()
    Case.objects.bulk_create(Case(**{**first, "id": uuid4()}) for _ in range(1_599))
    before = figures.count_statuses()[0].number
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE cases_case")

    after = figures.count_statuses()[0].number

    assert (before, after) == ("1,000+", "≈ 2,000")


def make_due(due: timedelta, **values: Any) -> None:
    schedule = {"next_action": "follow_up", "next_action_at": NOW + due, "due_at": NOW + due}
    CaseFactory.create(status="RUNNING", **schedule, **values)


def test_what_is_due_and_late_is_counted_without_paused_cases(db: None) -> None:
    for due in (-timedelta(hours=3), -timedelta(hours=1), timedelta(hours=5), timedelta(days=3), timedelta(days=9)):
        make_due(due)
    make_due(-timedelta(hours=3), paused_at=NOW)

    overview = look(*ALL)

    assert [(figure.label, figure.number, figure.tone) for figure in overview.due] == [
        ("Late", "1", "human"),
        ("Within 24 hours", "1", "live"),
        ("Within 7 days", "2", "live"),
    ]
    chart = overview.charts[2]
    assert chart.rows == (
        ("1 Dec", "3"),
        ("2 Dec", "0"),
        ("3 Dec", "0"),
        ("4 Dec", "1"),
        ("5 Dec", "0"),
        ("6 Dec", "0"),
        ("7 Dec", "0"),
    )


def test_nothing_late_is_no_call_for_a_person(db: None) -> None:
    CaseFactory.create()

    assert look(*ALL).due[0].tone == "quiet"


def test_outcomes_are_counted_by_day(db: None) -> None:
    def end(status: str, ago: timedelta, result: str) -> None:
        CaseFactory.create(status=status, result_status=result, updated_at=NOW - ago)

    end("COMPLETED", timedelta(hours=1), "goal_achieved")
    end("COMPLETED", timedelta(hours=13), "goal_achieved")
    end("FAILED", timedelta(hours=2), "BOUNCED")
    end("FAILED", timedelta(days=3), "max_retries")
    end("FAILED", timedelta(days=3), "BOUNCED")
    end("FAILED", timedelta(days=14), "cancelled")
    # A moved clock of the sandbox.
    end("COMPLETED", -timedelta(days=9), "goal_achieved")
    CaseFactory.create(status="RUNNING", updated_at=NOW)

    overview = look(*ALL)

    ended = {day.day: (day.completed, day.failed) for day in figures.count_ended(NOW)}
    assert len(ended) == 14
    assert {day: counts for day, counts in ended.items() if counts != (0, 0)} == {
        date(2026, 12, 1): (2, 1),
        date(2026, 11, 30): (1, 0),
        date(2026, 11, 28): (0, 2),
    }
    assert [(reason.label, reason.count, reason.share) for reason in overview.reasons] == [
        ("The mail bounced", "2", 100),
        ("No answer, and every follow-up was used", "1", 50),
    ]
    assert overview.reasons[0].url == "/admin/cases/case/?outcome=BOUNCED"
    assert overview.charts[0].description == "In the last 14 days: 3 completed, 3 failed."


def test_the_time_to_an_answer_is_the_median_of_its_day(db: None) -> None:
    def answer(took: timedelta, ago: timedelta, answer: str = "Yes") -> None:
        at = NOW - ago
        values = {"status": "RESOLVED", "resolved_at": at, "answer": answer, "answered_by": "sam" if answer else ""}
        InputRequest.objects.create(case=CaseFactory.create(), question="?", requested_at=at - took, **values)

    for minutes in (10, 20, 240):
        answer(timedelta(minutes=minutes), timedelta(hours=1))
    answer(timedelta(hours=3), timedelta(days=2))
    answer(timedelta(hours=9), timedelta(days=2), answer="")
    answer(timedelta(hours=9), timedelta(days=20))

    days = {day.day: day for day in figures.measure_answers(NOW) if day.answers}
    chart = look(*ALL).charts[1]

    assert {day: (found.answers, found.median, found.slowest) for day, found in days.items()} == {
        date(2026, 12, 1): (3, timedelta(minutes=20), timedelta(hours=4)),
        date(2026, 11, 29): (1, timedelta(hours=3), timedelta(hours=3)),
    }
    assert chart.rows[-1] == ("1 Dec", "0.333 h")
    assert chart.rows[-2] == ("30 Nov", "—")
    assert chart.rows[-3] == ("29 Nov", "3 h")
    assert chart.description.startswith("4 questions were answered by people in the last 14 days.")


def test_before_the_first_case_the_page_says_how_to_open_one(reader: HttpClient) -> None:
    body = reader.get("/admin/").content.decode()

    assert "There is no case yet." in body
    assert "POST /cases" in body
    assert "<svg class" not in body


def test_a_quiet_day_is_quiet(reader: HttpClient) -> None:
    CaseFactory.create(status="COMPLETED", result_status="goal_achieved")

    body = reader.get("/admin/").content.decode()

    assert "<h1>Nothing needs you</h1>" in body
    assert "panel-human" not in body
    assert "Nobody waits for an answer." in body
    assert "Every step goes on." in body


def test_the_answer_is_one_press_away(support: HttpClient, waiting_case: Case) -> None:
    body = support.get("/admin/").content.decode()
    page = support.get(make_page_url(waiting_case)).content.decode()

    assert "<h1>What needs you</h1>" in body
    assert f'href="{make_page_url(waiting_case)}#question">Answer<' in body
    assert 'id="question"' in page


def test_every_page_says_how_many_need_an_answer(reader: HttpClient, waiting_case: Case) -> None:
    for url in ("/admin/", "/admin/cases/case/", make_page_url(waiting_case)):
        body = reader.get(url).content.decode()
        assert '?state=INPUT_NEEDED">Needs an answer <span class="count">1</span></a>' in body


@pytest.mark.parametrize(
    ("permissions", "labels"),
    [
        ((), ["Overview"]),
        (("cases.view_case",), ["Overview", "Cases", "Needs an answer"]),
        (("webhooks.view_delivery", "agentmail.view_inboundemail"), ["Overview", "Mail", "Webhooks"]),
        (("cases.view_client",), ["Overview", "Clients"]),
    ],
)
def test_the_head_of_a_page_leads_only_where_somebody_may_go(
    db: None, permissions: tuple[str, ...], labels: list[str]
) -> None:
    browser = sign_in("nora", *permissions)

    body = browser.get("/admin/").content.decode()

    nav = body.partition('aria-label="Main"')[2].partition("</nav>")[0]
    links = re.findall(r'<a href="([^"]+)"[^>]*>([^<]+?)\s*</a>', nav)
    assert [label for _, label in links] == labels
    assert [browser.get(url).status_code for url, _ in links] == [200] * len(labels)


def test_every_chart_has_its_name_its_words_and_its_table(reader: HttpClient) -> None:
    CaseFactory.create(status="COMPLETED", result_status="goal_achieved")

    body = reader.get("/admin/").content.decode()

    assert body.count('<figure class="panel chart"') == 3
    assert body.count("As a table") == 3
    drawings = re.findall(r'<svg class="drawing".*?</svg>', body, re.DOTALL)
    assert drawings
    assert all("<title id=" in drawing and "<desc id=" in drawing for drawing in drawings)
    assert "style=" not in body
    assert "<style" not in body


def test_the_page_takes_a_fixed_number_of_queries(admin: HttpClient, waiting_case: Case) -> None:
    with CaptureQueriesContext(connection) as one:
        admin.get("/admin/")
    for _ in range(8):
        ask(CaseFactory.create(status="INPUT_NEEDED"), timedelta(hours=1))
        give_up_a_step(CaseFactory.create(status="RUNNING"), ASKED_AT)
        CaseFactory.create(status="FAILED", result_status="BOUNCED")
        hold_mail(60)

    with CaptureQueriesContext(connection) as many:
        admin.get("/admin/")

    assert len(many) == len(one)
    assert len(one) <= 35


def test_the_tables_are_left_out_folded_or_open_by_what_somebody_may_do(reader: HttpClient, admin: HttpClient) -> None:
    CaseFactory.create()
    viewer = sign_in("vera", "cases.view_case", "webhooks.view_delivery")

    bodies = [browser.get("/admin/").content.decode() for browser in (reader, viewer, admin)]

    folds = [re.findall(r'<details class="tables"[^>]*>', body) for body in bodies]
    assert folds == [[], ['<details class="tables">'], ['<details class="tables" open>']]
