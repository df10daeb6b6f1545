"""The mailbox in the browser, as far as the HTML shows it."""

import html
import re
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.staticfiles import finders
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from agentmail.sandbox.models import Attachment, Delivery, Message, Thread
from tests.agentmail.sandbox.conftest import Control, Provider

BANNER = "no mail leaves this machine; you are playing the counterparty"


@pytest.fixture
def thread_url(provider: Provider) -> str:
    """The page of a thread with one sent mail."""
    return f"/sandbox/threads/{provider.send().json()['thread_id']}/"


def _page(url: str) -> str:
    answer = Client().get(url)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.usefixtures("_defaults")
def test_an_empty_mailbox_offers_a_first_case() -> None:
    page = _page("/sandbox/")
    assert BANNER in page
    assert "No mail yet" in page
    assert re.findall(r'name="sample" value="(\w+)"', page) == ["w9", "delivery", "meeting"]


def test_conversations_are_listed_newest_first_with_who_what_and_what_they_wait_for(
    provider: Provider, control: Control
) -> None:
    provider.send({"to": "Omar <omar@x.example>", "subject": "Delivery", "text": "Which day?"})
    answered = provider.send().json()
    control.post("inbound", {"thread_id": answered["thread_id"], "text": "Here it is"})
    page = _page("/sandbox/")
    assert BANNER in page
    assert page.index("Maya Chen") < page.index("Omar")
    assert re.findall(r'class="thread-snippet">([^<]*)<', page) == ["Here it is", "Which day?"]
    assert page.count("your turn") == 1


def test_what_a_stranger_wrote_is_shown_as_text(provider: Provider) -> None:
    body = {"to": "a@b.example", "subject": "<b>bold</b>", "text": "<script>alert(1)</script>"}
    thread_id = provider.send(body).json()["thread_id"]
    for url in ("/sandbox/", f"/sandbox/threads/{thread_id}/"):
        page = _page(url)
        assert "<script>alert" not in page
        assert "<b>bold" not in page
        assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_html_only_mail_is_shown_without_its_tags(control: Control) -> None:
    body = {"from": "m@x.example", "html": "<p>Yes &amp; no</p><img src=x onerror=alert(1)>"}
    thread_id = control.post("inbound", body).json()["thread_id"]
    page = _page(f"/sandbox/threads/{thread_id}/")
    assert "onerror" not in page
    assert '<div class="message-text">Yes' in page


def test_pages_load_nothing_from_elsewhere_and_have_no_inline_style_or_script(thread_url: str) -> None:
    for url in ("/sandbox/", thread_url):
        answer = Client().get(url)
        page = answer.content.decode()
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert re.findall(r'(?:src|href)="(?:https?:)?//(?!testserver/)', page) == []
        assert re.findall(r"<style|<script>|\sstyle=|\son\w+=", page) == []


def test_every_file_that_a_page_loads_is_there(thread_url: str) -> None:
    loaded = set(re.findall(r'(?:src|href)="/static/([^"]+)"', _page(thread_url)))
    assert loaded == {"sandbox/icon.svg", "sandbox/mailbox.css", "sandbox/mailbox.js"}
    assert all(finders.find(name) for name in loaded)


def test_a_reply_is_received_from_the_counterparty_with_its_files(thread_url: str) -> None:
    files = [
        SimpleUploadedFile("a.txt", b"hello", "text/plain"),
        SimpleUploadedFile("empty.pdf", b"", "application/pdf"),
    ]
    answer = Client().post(f"{thread_url}reply", {"text": "Here.", "attachments": files})
    assert (answer.status_code, answer["Location"]) == (303, f"{thread_url}?notice=replied#latest")
    message = Message.objects.latest("id")
    assert (message.from_header, message.text) == ("Maya Chen <maya@supplier.example>", "Here.")
    stored = list(Attachment.objects.values_list("filename", "content_type", "size"))
    assert stored == [("a.txt", "text/plain", 5), ("empty.pdf", "application/pdf", 0)]
    page = _page(answer["Location"])
    assert "Your reply is on its way." in page
    assert "a.txt" in page


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"text": "  "}, "Write something before you send."),
        ({"text": "a", "attachments": 4 * [b"x"]}, "You can attach up to 3 files."),
        ({"text": "a", "attachments": [b"x" * 5_000_001]}, "0.bin is larger than 5 MB."),
        ({"text": "a" * 100_001}, "Ensure this value has at most 100000 characters"),
        ({"text": "a\x00"}, "Null characters are not allowed."),
        ({}, "Write something before you send."),
    ],
)
def test_a_reply_that_cannot_be_sent_is_shown_again_with_the_reason(thread_url: str, form: Any, complaint: str) -> None:
    files = [SimpleUploadedFile(f"{n}.bin", content) for n, content in enumerate(form.get("attachments", []))]
    deliveries = Delivery.objects.count()
    answer = Client().post(f"{thread_url}reply", form | {"attachments": files})
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert Message.objects.count() == 1
    assert Delivery.objects.count() == deliveries


def test_what_was_typed_is_kept_when_a_file_is_too_large(thread_url: str) -> None:
    form = {"text": "keep this", "attachments": SimpleUploadedFile("big.bin", b"x" * 5_000_001)}
    assert "keep this</textarea>" in Client().post(f"{thread_url}reply", form).content.decode()


@pytest.mark.parametrize("path", ["reply", "failure"])
def test_a_form_of_another_origin_is_refused_and_changes_nothing(thread_url: str, path: str) -> None:
    form = {"text": "a", "kind": "bounce"}
    answer = Client(enforce_csrf_checks=True).post(f"{thread_url}{path}", form)
    assert answer.status_code == 403
    assert Message.objects.count() == 1
    assert Message.objects.get().failure == ""


def test_the_pages_own_form_passes_the_check(thread_url: str) -> None:
    client = Client(enforce_csrf_checks=True)
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(thread_url).content.decode())
    assert found is not None
    form = {"text": "a", "csrfmiddlewaretoken": found[1]}
    assert client.post(f"{thread_url}reply", form).status_code == 303


def _read_form(page: str) -> dict[str, str]:
    """Returns what the reply form of a page would send as it stands."""
    text = re.search(r"<textarea[^>]*>\r?\n?(.*?)</textarea>", page, re.DOTALL)
    assert text is not None
    ticked = re.findall(r'<input type="checkbox" name="(\w+)"[^>]* checked>', page)
    return {"text": html.unescape(text[1])} | dict.fromkeys(ticked, "on")


def test_a_ready_made_reply_stands_in_the_form_and_nothing_is_sent_before_it_is(thread_url: str) -> None:
    links = re.findall(r'<a href="(\?reply=[\w-]+)#write"', _page(thread_url))
    assert len(links) == 7
    for link in links:
        page = _page(f"{thread_url}{link}")
        assert _read_form(page)["text"].startswith("Hello,\n\n")
        assert f'{link}#write" aria-current="true"' in page
    assert Message.objects.count() == 1
    assert _read_form(_page(f"{thread_url}?reply=unknown")) == {"text": ""}


def test_the_complete_answer_is_sent_with_the_changes_and_a_document(thread_url: str) -> None:
    form = _read_form(_page(f"{thread_url}?reply=answer"))
    assert form.keys() == {"text", "with_document"}
    Client().post(f"{thread_url}reply", form | {"text": "Here you go, signed."})
    sent = Message.objects.latest("id")
    assert (sent.text, sent.subject, sent.headers) == ("Here you go, signed.", "Re: W-9", {})
    [document] = sent.attachments.all()
    assert (document.filename, document.content_type) == ("document.pdf", "application/pdf")
    assert b"(Here you go, signed.) Tj" in bytes(document.content)


def test_an_absence_goes_out_as_a_mail_program_sends_it(thread_url: str) -> None:
    form = _read_form(_page(f"{thread_url}?reply=away"))
    assert form.keys() == {"text", "is_automatic"}
    answer = Client().post(f"{thread_url}reply", form)
    assert answer["Location"] == f"{thread_url}?notice=away#latest"
    sent = Message.objects.latest("id")
    assert (sent.subject, sent.headers["Auto-Submitted"]) == ("Automatic reply: W-9", "auto-replied")
    assert sent.attachments.count() == 0


def test_a_later_mail_does_not_hide_what_the_first_one_asked_for(control: Control, provider: Provider) -> None:
    first = provider.send({"to": "m@x.example", "subject": "W-9", "text": "Your W-9:\n- Tax ID:\n"}).json()
    path = f"/inboxes/agent@offload.example/messages/{quote(first['message_id'], safe='')}/reply"
    assert provider.call("POST", path, {"text": "And the form?"}).status_code == 200
    page = _page(f"/sandbox/threads/{first['thread_id']}/?reply=answer")
    assert "Tax ID: 12-3456789" in _read_form(page)["text"]
    assert "(W-9.pdf)" in page


def test_the_last_mail_can_bounce_or_be_reported(thread_url: str, control: Control) -> None:
    assert Client().post(f"{thread_url}failure", {"kind": "bounce"})["Location"].endswith("?notice=bounced#latest")
    assert Message.objects.get().failure == "bounced (permanent)"
    assert "bounced (permanent)" in _page("/sandbox/")
    Client().post(f"{thread_url}failure", {"kind": "complaint"})
    assert Message.objects.get().failure == "reported as spam"
    types = [row["event_type"] for row in control.get("webhooks")["deliveries"]]
    assert types[:2] == ["message.complained", "message.bounced"]


def test_a_thread_without_a_sent_mail_has_nothing_that_could_bounce(control: Control) -> None:
    thread_id = control.post("inbound", {"from": "m@x.example", "text": "a"}).json()["thread_id"]
    assert 'value="bounce"' not in _page(f"/sandbox/threads/{thread_id}/")
    assert Client().post(f"/sandbox/threads/{thread_id}/failure", {"kind": "bounce"}).status_code == 404


def test_an_unknown_button_is_a_404_and_changes_nothing(thread_url: str) -> None:
    assert Client().post(f"{thread_url}failure", {"kind": "x"}).status_code == 404
    assert Message.objects.get().failure == ""


def test_only_known_notices_are_shown(thread_url: str) -> None:
    assert 'class="notice"' not in _page(f"{thread_url}?notice=You+have+won")


@pytest.mark.usefixtures("_defaults")
def test_an_unknown_thread_is_a_404() -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    assert Client().get(f"/sandbox/threads/{unknown}/").status_code == 404


def test_the_mailbox_is_cut_into_pages_of_fifty(provider: Provider) -> None:
    for _ in range(51):
        provider.send()
    assert Thread.objects.count() == 51
    assert _page("/sandbox/").count('class="thread-subject"') == 50
    assert _page("/sandbox/?page=2").count('class="thread-subject"') == 1
    assert _page("/sandbox/?page=nonsense").count('class="thread-subject"') == 50


def test_a_list_of_many_conversations_takes_few_queries(provider: Provider, django_assert_max_num_queries: Any) -> None:
    for _ in range(30):
        provider.send()
    with django_assert_max_num_queries(7):
        _page("/sandbox/")
