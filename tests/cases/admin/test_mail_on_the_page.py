"""The mails of a case: on pages of its page, in the frame, with their headers and their originals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from agentmail.models import InboundEmail
from agentmail.viewing import SHOWN_CHARS
from cases.admin.mail_views import MAIL_POLICY
from cases.admin.page import gather_page
from cases.models import Case, CaseNote
from cases.workflow import EventKind
from tests.agentmail.provider import Provider, say
from tests.cases.admin.conftest import ASKED_AT, make_page_url, sign_in
from tests.cases.admin.test_page import HOSTILE, LATER, add_event, add_run, read_page, read_text
from tests.cases.factories import CaseFactory
from tests.cases.mail import store_reply, store_sent_mail
from webhooks.services import record_delivery

TURNED = "invoice-\u202egpj.exe"
ORIGINAL = {"download_url": "https://files.example/raw?sig=1", "expires_at": "2026-11-24T11:00:00+00:00"}


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    server = Provider()
    settings.AGENTMAIL_BASE_URL = server.url
    yield server
    server.close()


@pytest.fixture
def case(db: None) -> Case:
    return CaseFactory.create(status="RUNNING", attempt_count=1)


def make_mail_url(case: Case, mail_id: object, what: str) -> str:
    return f"/admin/cases/case/{case.id}/mails/{mail_id}/{what}/"


def read_numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'dir="auto">Mail number (\d+)<', page)]


def test_a_long_conversation_shows_its_newest_mails_and_leads_to_the_earlier_ones(
    reader: HttpClient, case: Case
) -> None:
    for number in range(60):
        store = store_sent_mail if number % 2 else store_reply
        store(case, f"Mail number {number}", LATER + timedelta(hours=number))
    url = make_page_url(case)

    pages = [reader.get(f"{url}{query}").content.decode() for query in ("", "?mails=2", "?mails=3")]

    assert [read_numbers(page) for page in pages] == [
        list(range(35, 60)),
        list(range(10, 35)),
        list(range(10)),
    ]
    assert "Conversation\n60 mails\nEarlier mail\n35 before these" in read_text(pages[0])
    assert 'href="?mails=2#transcript">Earlier mail</a>' in pages[0]
    assert "Later mail" not in pages[0]
    assert 'href="?mails=1#transcript">Later mail</a>' in pages[1]
    assert "Earlier mail" not in pages[2]


@pytest.mark.parametrize("query", ["?mails=0", "?mails=-1", "?mails=x", "?mails=99999999999999", "?mails=٣"])
def test_a_page_that_makes_no_sense_is_the_newest_or_the_nearest_one(
    reader: HttpClient, case: Case, query: str
) -> None:
    store_reply(case, "Mail number 1", LATER)

    page = reader.get(make_page_url(case) + query).content.decode()

    assert read_numbers(page) == [1]


def test_the_newest_mails_stand_open_and_the_others_show_their_first_words(reader: HttpClient, case: Case) -> None:
    for number in range(8):
        store_reply(case, f"Mail number {number}", LATER + timedelta(hours=number))

    page = read_page(reader, case)

    folds = re.findall(r"<details (open)?>\s*<summary>\s*<span class=\"mail-side\">Received", page)
    assert folds == ["", "", "open", "open", "open", "open", "open", "open"]
    assert '<span class="mail-snippet"><bdi>Mail number 0</bdi></span>' in page


def test_ours_and_theirs_are_told_apart_in_words(reader: HttpClient, case: Case) -> None:
    store_sent_mail(case, "Which name?", ASKED_AT)
    store_reply(case, "The new one.", LATER, to=["agent@offload.example"])
    store_reply(case, "I decide here.", LATER + timedelta(hours=1), from_address="tom@elsewhere.example")

    text = read_text(read_page(reader, case))

    assert "Sent\nAlex Reed\n24 Nov 2026, 10:00 UTC" in text
    assert "Received\nMaya Chen\n24 Nov 2026, 12:00 UTC" in text
    assert "maya@vendor.example\nto\nagent@offload.example" in text
    assert text.count("not the counterparty's address") == 1
    assert "tom@elsewhere.example\nnot the counterparty's address" in text


def test_a_subject_is_told_once_and_again_when_it_changes(reader: HttpClient, case: Case) -> None:
    for number, subject in enumerate(["Your W-9", "Re: Your W-9", "AW: Re: Your W-9", "Invoice"]):
        store_reply(case, "Hello", LATER + timedelta(hours=number), subject=subject)

    page = read_page(reader, case)

    assert re.findall(r'<p class="subject"><bdi>([^<]*)</bdi>', page) == ["Your W-9", "Invoice"]


def test_what_the_provider_cut_off_is_folded_behind_the_mail(reader: HttpClient, case: Case) -> None:
    store_reply(case, "The new one.\n\nFrom our side of the fence\nWhich name?", LATER, extracted_text="The new one.")

    page = read_page(reader, case)

    fold = page.partition("Quoted text")[2].partition("</details>")[0]
    assert "From our side of the fence\nWhich name?" in fold
    assert page.partition("Quoted text")[0].count("From our side of the fence") == 0


def test_a_mail_of_html_alone_is_read_as_text(reader: HttpClient, case: Case) -> None:
    store_reply(case, "", LATER, html="<p>The <b>new</b> one.</p><p style='display:none'>Hidden</p>")

    page = read_page(reader, case)

    assert '<div class="words" dir="auto">The new one.</div>' in page
    assert "Hidden" not in page


def test_of_an_endless_mail_the_beginning_is_shown_and_that_is_said(reader: HttpClient, case: Case) -> None:
    store_reply(case, "long " * SHOWN_CHARS + "the very end", LATER)

    page = read_page(reader, case)

    assert "This is only the beginning; the original has all of it." in page
    assert "the very end" not in page
    assert len(page) < 3 * SHOWN_CHARS


def test_names_that_would_read_the_other_way_show_what_they_are_made_of(reader: HttpClient, case: Case) -> None:
    file = {"attachment_id": "a", "filename": TURNED, "content_type": "image/jpeg", "size": 1}
    mail = store_reply(
        case, f"See {TURNED}", LATER, from_name=TURNED, from_address=TURNED, subject=TURNED, attachments=[file]
    )

    page = read_page(reader, case)
    headers = reader.get(make_mail_url(case, mail.pk, "headers")).content.decode()

    assert "\u202e" not in page + headers
    assert page.count("invoice-[U+202E]gpj.exe") >= 5
    assert headers.count("invoice-[U+202E]gpj.exe") == 3


def test_the_frame_is_sandboxed_lazy_and_behind_a_fold(reader: HttpClient, case: Case) -> None:
    mail = store_reply(case, "Hello", LATER, html="<p>Hello</p>")
    store_reply(case, "Plain", LATER)

    page = read_page(reader, case)

    frames = re.findall(r"<iframe[^>]*>", page)
    attributes = 'sandbox loading="lazy" referrerpolicy="no-referrer"'
    title = 'title="Formatted mail of Maya Chen, 24 Nov 2026, 12:00 UTC"'
    assert frames == [f'<iframe {attributes} src="{make_mail_url(case, mail.pk, "formatted")}" {title}>']
    assert "<summary>As the sender formatted it</summary>" in page.partition("<iframe")[0]


def test_a_formatted_mail_comes_sanitised_under_a_policy_of_its_own(reader: HttpClient, case: Case) -> None:
    mail = store_reply(
        case, "Hello", LATER, subject=HOSTILE, html=f'{HOSTILE}<a href="https://bank.example/">Your bank</a>'
    )

    response = reader.get(make_mail_url(case, mail.pk, "formatted"))

    body = response.content.decode()
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"] == MAIL_POLICY
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.findall(r"<script|onerror=\"|<a |href=|https?://(?!bank)", body.partition("<body>")[2])
    assert "<title>Mail: &lt;script&gt;alert(1)&lt;/script&gt;" in body
    assert '<span class="link">Your bank</span> <span class="target">[https://bank.example/]</span>' in body


def test_the_policy_allows_neither_script_nor_any_request() -> None:
    assert MAIL_POLICY.split("; ") == [
        "sandbox",
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ]


def test_the_headers_of_their_mail_are_shown_as_they_were_told(reader: HttpClient, case: Case) -> None:
    mail = store_reply(
        case,
        "Hello",
        LATER,
        message_id="<1@vendor.example>",
        in_reply_to="<0@offload.example>",
        to=["agent@offload.example"],
        headers={"x-mailer": HOSTILE},
        authentication={"spf": "pass", "dmarc": {"result": "fail"}},
    )

    text = read_text(reader.get(make_mail_url(case, mail.pk, "headers")).content.decode())

    for words in (
        "From\nMaya Chen <maya@vendor.example>",
        "To\nagent@offload.example",
        "Message-ID\n<1@vendor.example>",
        "In-Reply-To\n<0@offload.example>",
        f"x-mailer\n{HOSTILE}",
        "Checked by the provider: spf\npass",
        'Checked by the provider: dmarc\n{"result": "fail"}',
        "These are the headers that the mail provider passes on.",
    ):
        assert words in text


def test_the_headers_of_our_mail_are_what_was_asked_for(reader: HttpClient, case: Case) -> None:
    mail = store_sent_mail(case, "Which name?", ASKED_AT)
    mail.payload = '{"to": ["Maya <maya@vendor.example>"], "headers": {"Auto-Submitted": "auto-generated"}}'
    mail.save()

    text = read_text(reader.get(make_mail_url(case, mail.pk, "headers")).content.decode())

    assert "To\nMaya <maya@vendor.example>\nSubject\nYour W-9\nSent\n24 Nov 2026, 10:00 UTC" in text
    assert "Auto-Submitted\nauto-generated" in text
    assert mail.idempotency_key not in text


def test_an_original_is_a_fresh_link_each_time(reader: HttpClient, case: Case, provider: Provider) -> None:
    mail = store_reply(case, "Hello", LATER, message_id="<in/1@vendor.example>")
    provider.play(say(200, ORIGINAL), say(200, ORIGINAL | {"download_url": "https://files.example/raw?sig=2"}))

    responses = [reader.get(make_mail_url(case, mail.pk, "original")) for _ in range(2)]

    assert [(response.status_code, response.headers["Location"]) for response in responses] == [
        (302, "https://files.example/raw?sig=1"),
        (302, "https://files.example/raw?sig=2"),
    ]
    assert [request.path for request in provider.received] == [
        "/v0/inboxes/agent%40offload.example/messages/%3Cin%2F1%40vendor.example%3E/raw"
    ] * 2


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, {"name": "not_found"}, "The mail provider does not have the original of this mail any more."),
        (500, {"name": "internal"}, "The mail provider gave no download link; please try again."),
        (200, {"download_url": "javascript:alert(1)"}, "The mail provider gave no download link; please try again."),
        (200, {}, "The mail provider gave no download link; please try again."),
    ],
)
def test_without_an_original_the_page_of_the_case_says_so(
    reader: HttpClient, case: Case, provider: Provider, status: int, body: dict[str, Any], words: str
) -> None:
    mail = store_sent_mail(case, "Hello", LATER)
    provider.play(say(status, body))

    response = reader.get(make_mail_url(case, mail.pk, "original"))

    assert (response.status_code, response.headers["Location"]) == (302, make_page_url(case))
    assert [str(message) for message in get_messages(response.wsgi_request)] == [words]


@pytest.mark.parametrize("what", ["formatted", "headers", "original"])
def test_a_mail_of_another_case_and_of_nobody_is_not_shown(
    reader: HttpClient, case: Case, provider: Provider, what: str
) -> None:
    theirs = store_reply(CaseFactory.create(), "Secret", LATER, html="<p>Secret</p>")
    nobodys = store_reply(case, "Secret", LATER)
    InboundEmail.objects.filter(pk=nobodys.pk).update(owner=None)

    responses = [reader.get(make_mail_url(case, pk, what)) for pk in (theirs.pk, nobodys.pk, uuid4())]

    assert [(response.status_code, response.headers["Location"]) for response in responses] == [
        (302, make_page_url(case))
    ] * 3
    assert provider.received == []


@pytest.mark.parametrize("what", ["formatted", "headers", "original"])
def test_only_who_may_see_the_case_may_see_its_mail(case: Case, provider: Provider, what: str) -> None:
    url = make_mail_url(case, store_reply(case, "Hello", LATER, html="<p>Hello</p>").pk, what)
    nobody = sign_in("nora", "agentmail.view_inboundemail", "cases.answer_case")

    responses = [HttpClient().get(url), nobody.get(url), sign_in("pat", "cases.view_case", is_staff=False).get(url)]

    assert [response.status_code for response in responses] == [302, 403, 302]
    assert responses[0].headers["Location"].startswith("/admin/login/?next=")
    assert provider.received == []


def test_a_mail_is_only_read(reader: HttpClient, case: Case) -> None:
    mail = store_reply(case, "Hello", LATER)

    statuses = [reader.post(make_mail_url(case, mail.pk, what)).status_code for what in ("formatted", "headers")]

    assert statuses == [405, 405]


def test_a_page_of_a_case_asks_the_database_nineteen_times_at_most(
    case: Case, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    case.status, case.result_status, case.result = "FAILED", "BOUNCED", {"a": 1}
    for number in range(60):
        store_reply(case, "", LATER, html=f"<p>{number}</p>")

    with django_assert_max_num_queries(19):
        gather_page(case, now=LATER)


def fill(case: Case, numbers: range) -> None:
    for number in numbers:
        file = {"attachment_id": f"a{number}", "filename": "w9.pdf", "content_type": "application/pdf", "size": 1}
        store_reply(case, "Hello", LATER + timedelta(minutes=number), attachments=[file])
        store_reply(case, "", LATER + timedelta(minutes=number), html="<p>Hello</p>")
        store_sent_mail(case, "Hello", LATER + timedelta(minutes=number))
        event = add_event(case, EventKind.REPLY_RECEIVED, f"k{number}", payload={"input_request_id": "x"})
        add_run(event, decision={"kind": "GOAL_ACHIEVED", "evidence": []})
        delivery = record_delivery(
            owner=case.id, url="https://x.example/", event_id=f"e{number}", event_type="t", body={}, now=ASKED_AT
        )
        delivery.attempts.create(number=1, started_at=ASKED_AT)
        CaseNote.objects.create(case=case, author="sam", body="Called them.", created_at=LATER)


def test_the_page_costs_the_same_however_much_has_happened(reader: HttpClient) -> None:
    case = CaseFactory.create(status="COMPLETED", result_status="goal_achieved", attempt_count=1, result={"a": 1})
    fill(case, range(1))
    read_page(reader, case)
    with CaptureQueriesContext(connection) as few:
        read_page(reader, case)
    fill(case, range(1, 70))

    with CaptureQueriesContext(connection) as many:
        read_page(reader, case)

    # One more: the steps are counted once there are more than are shown.
    assert len(many) == len(few) + 1
