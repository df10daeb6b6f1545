"""The contract's "Lifecycle", "Statuses" and "Async guarantees", line by line, over real processes."""

from __future__ import annotations

import re
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import pytest

from tests.live.stack import Stack, wait_for
from tests.live.test_first_case import ANSWER, W9

pytestmark = pytest.mark.live

HOUR_MS = 3_600_000
NOTHING_SCHEDULED = 253402300799999
ABSENCE = {"subject": "Out of office", "headers": {"Auto-Submitted": "auto-replied"}}


def start(stack: Stack, **changes: object) -> tuple[str, str]:
    """Brings a case to RUNNING; returns its id and its thread's."""
    case_id = stack.open_case(**changes)
    outreach = stack.wait_for_mail(case_id)
    stack.wait_for_status(case_id, "RUNNING")
    return case_id, str(outreach["thread_id"])


def wait_for_count(stack: Stack, case_id: str, count: int) -> None:
    wait_for(f"attemptCount {count}", lambda: stack.get_case(case_id)["attemptCount"] == count or None)


def list_events(stack: Stack, thread_id: str) -> list[str]:
    """Returns the kinds of the case's events, as the sandbox's live view shows them."""
    status, view = stack.call("GET", f"/case?thread_id={thread_id}", base="sandbox")
    assert status == 200, view
    return [event["kind"] for event in view["events"]]


def wait_for_event(stack: Stack, case_id: str, text: str) -> None:
    """Waits until the case's page in the admin, as support sees it, shows `text`."""
    wait_for(f"the page of case {case_id} to say {text!r}", lambda: text in Admin(stack).read_case(case_id) or None)


class Admin:
    """A support agent's browser, without a screen."""

    def __init__(self, stack: Stack) -> None:
        self._base = stack.description["admin"]
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        login = self._open("login/?next=/admin/")
        self._open("login/?next=/admin/", self._read_token(login), **stack.description["staff"]["support"])

    def _open(self, path: str, token: str = "", **fields: str) -> str:
        url = urllib.parse.urljoin(self._base, path)
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **fields}).encode() if token else None
        with self._opener.open(urllib.request.Request(url, data=data, headers={"referer": url}), timeout=30) as page:
            return str(page.read().decode())

    @staticmethod
    def _read_token(page: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found is not None, page[:500]
        return found[1]

    def read_case(self, case_id: str) -> str:
        return self._open(f"cases/case/{case_id}/change/")

    def answer(self, case_id: str, text: str) -> str:
        """Fills in the form on the case's page and sends it; returns the page that follows."""
        page = self.read_case(case_id)
        form = re.search(r'<form[^>]+action="([^"]*answer[^"]*)"(.*?)</form>', page, re.DOTALL)
        assert form is not None, "the page has no form to answer"
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[2]))
        token = hidden.pop("csrfmiddlewaretoken")
        name = re.search(r'<textarea[^>]+name="([^"]+)"', form[2])
        assert name is not None
        return self._open(form[1], token, **hidden, **{name[1]: text})


# -- 1. The first message


def test_a_mail_that_the_provider_refuses_fails_the_case(stack: Stack) -> None:
    stack.play_faults(send=["403_rejected"])

    case = stack.wait_for_status(stack.open_case(), "FAILED")

    assert (case["resultStatus"], case["attemptCount"], case["nextActionAt"]) == ("send_failed", 0, NOTHING_SCHEDULED)


@pytest.mark.parametrize("fault", [{"fault": "429", "retry_after": 1}, "503", "drop"])
def test_a_passing_fault_of_the_provider_is_retried(stack: Stack, fault: object) -> None:
    stack.play_faults(send=[fault])

    case_id = stack.open_case()

    assert stack.wait_for_status(case_id, "RUNNING")["attemptCount"] == 1
    assert len(stack.list_sent(case_id)) == 1


def test_a_wrong_key_of_ours_holds_the_case_until_it_is_mended(stack: Stack) -> None:
    stack.play_faults(send=["401"])

    case_id = stack.open_case()

    stack.wait_until_played("send")
    assert stack.wait_for_status(case_id, "RUNNING", "FAILED")["status"] == "RUNNING"


# -- 2. and 3. Silence


def test_silence_brings_follow_ups_in_the_thread_and_then_max_retries(stack: Stack) -> None:
    case_id, thread_id = start(stack, maxAttempts=2, followUpDelayHours=24)
    for sent in (2, 3):
        stack.advance(case_id, 24)
        assert stack.wait_for_mail(case_id, sent)["thread_id"] == thread_id
        wait_for_count(stack, case_id, sent)
    waiting = stack.get_case(case_id)
    assert (waiting["status"], waiting["attemptCount"]) == ("RUNNING", 3)
    assert waiting["nextActionAt"] - waiting["updatedAt"] == 24 * HOUR_MS

    stack.advance(case_id, 24)

    case = stack.wait_for_status(case_id, "FAILED")
    assert (case["resultStatus"], case["attemptCount"]) == ("max_retries", 3)
    assert len(stack.list_sent(case_id)) == 3


def test_beat_alone_finds_a_case_that_falls_due(stack: Stack) -> None:
    case_id, _ = start(stack, followUpDelayHours=1)

    # Due in four seconds of real time, when nobody advances anything any more.
    stack.advance(case_id, 1 - 4 / 3600)
    assert len(stack.list_sent(case_id)) == 1

    stack.wait_for_mail(case_id, 2)


def test_before_its_time_nothing_follows(stack: Stack) -> None:
    case_id, thread_id = start(stack)

    # Whatever is due is recorded before `advance` answers.
    stack.advance(case_id, 71.9)
    assert list_events(stack, thread_id) == ["CASE_CREATED"]
    stack.advance(case_id, 0.2)

    assert list_events(stack, thread_id) == ["CASE_CREATED", "FOLLOW_UP_DUE"]
    stack.wait_for_mail(case_id, 2)
    wait_for_count(stack, case_id, 2)


def test_with_max_attempts_zero_the_first_silence_ends_the_case(stack: Stack) -> None:
    case_id, _ = start(stack, maxAttempts=0)

    stack.advance(case_id, 72)

    assert stack.wait_for_status(case_id, "FAILED")["resultStatus"] == "max_retries"
    assert len(stack.list_sent(case_id)) == 1


def test_a_reply_whose_webhook_was_lost_stops_the_follow_up_and_decides(stack: Stack) -> None:
    case_id, thread_id = start(stack)
    stack.play_faults(webhook=["drop"])
    stack.reply(thread_id, ANSWER, attachments=[W9])
    stack.wait_until_played("webhook")
    assert stack.get_case(case_id)["status"] == "RUNNING"

    stack.advance(case_id, 72)

    assert stack.wait_for_status(case_id, "COMPLETED")["attemptCount"] == 1
    assert len(stack.list_sent(case_id)) == 1


# -- 4. Replies


def test_a_question_that_the_knowledge_answers_is_answered_and_uses_no_follow_up(stack: Stack) -> None:
    goal = {
        "objective": "Collect a signed W-9 from Maya at Northstar",
        "knowledge": {"Invoice number": "1042", "Mailing address": "12 Harbour Street, Bristol"},
    }
    case_id, thread_id = start(stack, goal=goal, maxAttempts=1)
    stack.advance(case_id, 10)

    stack.reply(thread_id, "Hi Ana,\n\nwhat is your mailing address?\n\nMaya")

    assert "12 Harbour Street, Bristol" in stack.wait_for_mail(case_id, 2)["text"]
    wait_for_count(stack, case_id, 2)
    case = stack.get_case(case_id)
    assert case["status"] == "RUNNING"
    assert case["nextActionAt"] - case["updatedAt"] == 72 * HOUR_MS
    stack.advance(case_id, 72)
    stack.wait_for_mail(case_id, 3)
    wait_for_count(stack, case_id, 3)
    stack.advance(case_id, 72)
    assert stack.wait_for_status(case_id, "FAILED")["resultStatus"] == "max_retries"


def test_a_request_for_time_is_waited_out_and_then_looked_at_again(stack: Stack) -> None:
    case_id, thread_id = start(stack, maxAttempts=1)
    before = stack.get_case(case_id)["nextActionAt"]

    stack.reply(thread_id, "Hi Ana,\n\nI am travelling; you will have it in ten days.\n\nMaya")

    snoozed = wait_for(
        "a recheck", lambda: ((found := stack.get_case(case_id))["nextActionAt"] not in (before, 0) and found) or None
    )
    assert (snoozed["status"], snoozed["attemptCount"]) == ("RUNNING", 1)
    assert snoozed["nextActionAt"] - snoozed["updatedAt"] > 8 * 24 * HOUR_MS
    stack.advance(case_id, 24 * 11)
    stack.wait_for_mail(case_id, 2)
    wait_for_count(stack, case_id, 2)
    # The reminder used the only follow-up.
    stack.advance(case_id, 72)
    assert stack.wait_for_status(case_id, "FAILED")["resultStatus"] == "max_retries"


def test_after_five_snoozes_in_a_row_without_a_word_a_human_is_asked(stack: Stack) -> None:
    case_id, thread_id = start(stack)
    for number in range(1, 6):
        before = stack.get_case(case_id)["updatedAt"]
        stack.reply(thread_id, f"I am out of the office for {number + 1} days.", **ABSENCE)
        wait_for(f"snooze {number}", lambda at=before: stack.get_case(case_id)["updatedAt"] != at or None)  # type: ignore[misc]
    assert stack.get_case(case_id)["status"] == "RUNNING"

    stack.reply(thread_id, "I am out of the office for 9 days.", **ABSENCE)

    case = stack.wait_for_status(case_id, "INPUT_NEEDED")
    assert case["inputRequest"]["question"].startswith("The case has been put off 5 times in a row")
    assert (case["nextActionAt"], len(stack.list_sent(case_id))) == (NOTHING_SCHEDULED, 1)


def test_automatic_mail_is_never_an_answer_and_never_answered(stack: Stack) -> None:
    case_id, thread_id = start(stack)

    stack.reply(
        thread_id,
        f"Your request was received.\n\n{ANSWER}",
        subject="[Ticket #4711] We have received your request",
        headers={"Auto-Submitted": "auto-replied"},
    )

    wait_for_event(stack, case_id, "An automatic mail arrived")
    case = stack.get_case(case_id)
    assert (case["status"], case["attemptCount"], len(stack.list_sent(case_id))) == ("RUNNING", 1, 1)


def test_mail_that_the_provider_could_not_prove_goes_to_a_human(stack: Stack) -> None:
    case_id, thread_id = start(stack)

    stack.reply(thread_id, ANSWER, variant="unauthenticated")

    assert "could not prove" in stack.wait_for_status(case_id, "INPUT_NEEDED")["inputRequest"]["question"]


# -- 5. Humans


def test_a_question_before_the_first_message_is_answered_and_then_it_goes_out(stack: Stack) -> None:
    case_id = stack.open_case(goal={"objective": "W-9"})
    asked = stack.wait_for_status(case_id, "INPUT_NEEDED")
    assert (asked["attemptCount"], stack.list_sent(case_id)) == (0, [])

    body = {"inputRequestId": asked["inputRequest"]["id"], "providedContext": "Collect a signed W-9 form from Maya."}
    assert stack.call("POST", f"/cases/{case_id}/input", body)[0] == 202

    assert stack.wait_for_status(case_id, "RUNNING")["attemptCount"] == 1
    assert "W-9" in stack.wait_for_mail(case_id)["text"]


def test_a_support_agent_answers_in_the_admin(stack: Stack) -> None:
    case_id, thread_id = start(stack)
    stack.reply(thread_id, "Hi Ana,\n\nwhich of our subsidiaries do you need it for?\n\nMaya")
    stack.wait_for_status(case_id, "INPUT_NEEDED")

    Admin(stack).answer(case_id, "For Northstar Logistics LLC.")

    assert "Northstar Logistics LLC" in stack.wait_for_mail(case_id, 2)["text"]
    assert stack.wait_for_status(case_id, "RUNNING")["inputRequest"]["status"] == "RESOLVED"


def test_a_reply_that_arrives_while_a_question_stands_may_end_the_case(stack: Stack) -> None:
    case_id, thread_id = start(stack)
    stack.reply(thread_id, "Hi Ana,\n\nwhich of our subsidiaries do you need it for?\n\nMaya")
    stack.wait_for_status(case_id, "INPUT_NEEDED")

    stack.reply(thread_id, ANSWER, attachments=[W9])

    case = stack.wait_for_status(case_id, "COMPLETED")
    assert case["inputRequest"]["status"] == "RESOLVED"
    assert [notice["event_type"] for notice in stack.wait_for_notices(case_id, 2)] == [
        "case.input_needed",
        "case.completed",
    ]


def test_of_two_answers_at_once_one_is_taken(stack: Stack) -> None:
    case_id, thread_id = start(stack)
    stack.reply(thread_id, "Hi Ana,\n\nwhich of our subsidiaries do you need it for?\n\nMaya")
    asked = stack.wait_for_status(case_id, "INPUT_NEEDED")
    body = {"inputRequestId": asked["inputRequest"]["id"], "providedContext": "Northstar LLC"}

    answers = stack.call_at_once(*[("POST", f"/cases/{case_id}/input", body)] * 6)

    assert sorted(status for status, _ in answers) == [202, 409, 409, 409, 409, 409]


# -- 6. What the provider reports


@pytest.mark.parametrize(
    ("report", "result_status"), [("bounce", "BOUNCED"), ("complaint", "COMPLAINED"), ("reject", "REJECTED")]
)
def test_a_report_ends_the_case_and_the_address_gets_no_more_mail(
    stack: Stack, report: str, result_status: str
) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.wait_for_status(case_id, "RUNNING")

    stack.call("POST", f"/{report}", {"message_id": outreach["message_id"]}, base="sandbox")

    assert stack.wait_for_status(case_id, "FAILED")["resultStatus"] == result_status
    counterparty = stack.get_case(case_id)["counterparty"]
    again = stack.wait_for_status(stack.open_case(counterparty=counterparty), "FAILED")
    assert (again["resultStatus"], again["attemptCount"]) == ("send_failed", 0)
    assert len(stack.list_sent(case_id)) == 1


def test_a_transient_bounce_changes_nothing(stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    running = stack.wait_for_status(case_id, "RUNNING")

    body = {"message_id": outreach["message_id"], "type": "Transient"}
    stack.call("POST", "/bounce", body, base="sandbox")
    # The reply behind it shows that the report has been read.
    stack.reply(outreach["thread_id"], ANSWER, attachments=[W9])

    assert running["status"] == "RUNNING"
    assert stack.wait_for_status(case_id, "COMPLETED", "FAILED")["status"] == "COMPLETED"


# -- Statuses


def test_nothing_leaves_an_ended_case(stack: Stack) -> None:
    case_id, thread_id = start(stack)
    stack.reply(thread_id, ANSWER, attachments=[W9])
    ended = stack.wait_for_status(case_id, "COMPLETED")

    stack.reply(thread_id, "One more question: may we use your logo?")
    refused, _ = stack.call("POST", "/advance", {"hours": 720, "caseId": case_id}, base="sandbox")
    assert refused == 400
    wait_for_event(stack, case_id, "arrived after the case had ended")

    assert stack.get_case(case_id) == ended
    assert (len(stack.list_sent(case_id)), len(stack.wait_for_notices(case_id, 1))) == (1, 1)
    assert stack.call("POST", f"/cases/{case_id}/cancel", {})[1]["error"]["code"] == "CASE_ALREADY_FINISHED"


def test_after_a_cancel_nothing_is_sent(stack: Stack) -> None:
    case_id, thread_id = start(stack)

    status, answer = stack.call("POST", f"/cases/{case_id}/cancel", {})

    assert (status, answer["data"]) == (202, {"caseId": case_id, "status": "FAILED"})
    stack.reply(thread_id, "What is your mailing address?")
    wait_for_event(stack, case_id, "arrived after the case had ended")
    assert len(stack.list_sent(case_id)) == 1
    [notice] = stack.wait_for_notices(case_id, 1)
    assert notice["data"]["resultStatus"] == "cancelled"


def test_a_case_that_is_cancelled_before_its_mail_could_leave_sends_none(stack: Stack) -> None:
    stack.play_faults(send=[{"fault": "429", "retry_after": 5}])
    case_id = stack.open_case()
    stack.wait_until_played("send")

    stack.call("POST", f"/cases/{case_id}/cancel", {})

    wait_for_event(stack, case_id, "The case ended before this mail could leave.")
    assert stack.list_sent(case_id) == []


# -- Async guarantees


def test_webhooks_that_come_twice_or_out_of_order_change_nothing(stack: Stack) -> None:
    case_id, thread_id = start(stack)
    stack.play_faults(webhook=["duplicate", "reorder"])

    stack.reply(thread_id, "Legal name: Northstar LLC")
    stack.reply(thread_id, "Tax ID: 12-3456789", attachments=[W9])

    case = stack.wait_for_status(case_id, "COMPLETED")
    assert case["result"] == {"legalName": "Northstar LLC", "taxId": "12-3456789"}
    assert len(stack.wait_for_notices(case_id, 1)) == 1


def test_a_reply_that_outruns_our_own_commit_is_found(stack: Stack) -> None:
    stack.play_faults(send=[{"fault": "slow", "seconds": 3}])
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.reply(outreach["thread_id"], ANSWER, attachments=[W9])
    assert stack.get_case(case_id)["status"] == "CREATED"

    case = stack.wait_for_status(case_id, "COMPLETED")

    assert (case["attemptCount"], case["result"]["taxId"]) == (1, "12-3456789")


def test_an_attachment_is_kept_as_metadata_and_its_link_is_fresh_each_time(stack: Stack) -> None:
    case_id, thread_id = start(stack)
    file = {"filename": "w9.pdf", "content_type": "application/pdf", "content": "JVBERi0xLjQ="}
    stack.reply(thread_id, ANSWER, attachments=[file])
    [attachment] = stack.wait_for_status(case_id, "COMPLETED")["attachments"]

    path = f"/cases/{case_id}/attachments/{urllib.parse.quote(attachment['attachmentId'], safe='')}"
    status, answer = stack.call("GET", path)

    assert status == 200
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["data"]["expiresAt"])
    with urllib.request.urlopen(answer["data"]["downloadUrl"], timeout=10) as download:
        assert download.read() == b"%PDF-1.4"


def test_the_long_story_is_told_in_under_a_minute(stack: Stack) -> None:
    began = time.monotonic()

    played = stack.play_demo("--story", "long")

    assert played.returncode == 0, played.stdout + played.stderr
    assert "The case is complete." in played.stdout
    assert time.monotonic() - began < 60
