"""Whole cases over real processes: web, worker, beat, queue, database and the sandbox."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.live.stack import Stack

pytestmark = pytest.mark.live

ANSWER = "Hi Ana,\n\nhere you go.\n\nLegal name: Northstar LLC\nTax ID: 12-3456789\n\nMaya"
W9 = {
    "filename": "w9.pdf",
    "content_type": "application/pdf",
    "content": base64.b64encode(b"%PDF-1.4 signed").decode(),
}


def test_a_case_goes_from_post_to_case_completed(stack: Stack) -> None:
    case_id = stack.open_case(clientReferenceId="vendor-1042", metadata={"row": 7})
    outreach = stack.wait_for_mail(case_id)
    running = stack.wait_for_status(case_id, "RUNNING")
    assert (running["attemptCount"], running["inputRequest"]) == (1, None)
    assert running["nextActionAt"] - running["updatedAt"] == 72 * 3600 * 1000

    stack.reply(outreach["thread_id"], ANSWER, attachments=[W9])

    case = stack.wait_for_status(case_id, "COMPLETED", "FAILED", "INPUT_NEEDED")
    assert (case["status"], case["resultStatus"]) == ("COMPLETED", "goal_achieved")
    assert case["result"] == {"legalName": "Northstar LLC", "taxId": "12-3456789"}
    assert case["nextActionAt"] == 253402300799999
    [attachment] = case["attachments"]
    assert (attachment["name"], attachment["size"], attachment["type"]) == ("w9.pdf", 15, "application/pdf")
    [notice] = stack.wait_for_notices(case_id, 1)
    assert notice == {
        "event_id": f"evt_{case_id}_case_completed_{case['updatedAt']}",
        "event_type": "case.completed",
        "timestamp": case["updatedAt"],
        "data": {
            "caseId": case_id,
            "clientReferenceId": "vendor-1042",
            "status": "COMPLETED",
            "channel": "EMAIL",
            "attemptCount": 1,
            "attachments": case["attachments"],
            "result": case["result"],
            "metadata": {"row": 7},
            "resultStatus": "goal_achieved",
        },
    }
    assert len(stack.list_sent(case_id)) == 1


def test_the_transcript_is_null_before_the_first_mail_and_then_holds_both_sides(stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.reply(outreach["thread_id"], ANSWER, attachments=[W9])
    stack.wait_for_status(case_id, "COMPLETED")

    _, answer = stack.call("GET", f"/cases/{case_id}?includeTranscript=true")

    transcript = answer["data"]["conversationThread"]
    assert outreach["text"].splitlines()[0] in transcript
    assert "Legal name: Northstar LLC" in transcript
    assert "conversationThread" not in stack.get_case(case_id)


def test_a_refusal_fails_the_case(stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)

    stack.reply(outreach["thread_id"], "Hello Ana,\n\nwe are not interested. Please stop writing to us.\n\nMaya")

    case = stack.wait_for_status(case_id, "FAILED")
    assert case["resultStatus"] == "failed_rejected"
    [notice] = stack.wait_for_notices(case_id, 1)
    assert (notice["event_type"], notice["data"]["resultStatus"]) == ("case.failed", "failed_rejected")


def test_a_question_is_put_to_a_human_whose_answer_goes_on_with_the_case(stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.reply(outreach["thread_id"], "Hi Ana,\n\nwhich of our subsidiaries do you need the form for?\n\nMaya")
    asked = stack.wait_for_status(case_id, "INPUT_NEEDED")
    assert asked["nextActionAt"] == 253402300799999
    [notice] = stack.wait_for_notices(case_id, 1)
    assert notice["data"]["inputRequestId"] == asked["inputRequest"]["id"]
    assert notice["data"]["inputRequest"] == asked["inputRequest"]["question"]

    body = {"inputRequestId": asked["inputRequest"]["id"], "providedContext": "Northstar Logistics LLC, in Ohio."}
    status, answer = stack.call("POST", f"/cases/{case_id}/input", body)

    assert (status, answer["data"]) == (
        202,
        {"caseId": case_id, "inputRequestId": asked["inputRequest"]["id"], "accepted": True},
    )
    relayed = stack.wait_for_mail(case_id, 2)
    assert "Northstar Logistics LLC" in relayed["text"]
    case = stack.wait_for_status(case_id, "RUNNING")
    assert (case["attemptCount"], case["inputRequest"]["status"]) == (2, "RESOLVED")
    assert stack.call("POST", f"/cases/{case_id}/input", body)[1]["error"]["code"] == "CASE_NOT_WAITING_FOR_INPUT"


def test_a_bounce_fails_the_case_at_once(stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.wait_for_status(case_id, "RUNNING")

    stack.call("POST", "/bounce", {"message_id": outreach["message_id"]}, base="sandbox")

    case = stack.wait_for_status(case_id, "FAILED")
    assert case["resultStatus"] == "BOUNCED"


def test_another_clients_key_sees_nothing_and_an_inactive_one_less(stack: Stack) -> None:
    case_id = stack.open_case()

    assert stack.call("GET", f"/cases/{case_id}", key="second_api_key")[0] == 403
    assert stack.call("GET", f"/cases/{case_id}", key="inactive_api_key")[0] == 403
    assert stack.call("GET", f"/cases/{case_id}", key="agentmail_api_key")[0] == 401


def test_the_demo_plays_a_case_to_its_end(stack: Stack) -> None:
    played = stack.play_demo()

    assert played.returncode == 0, played.stdout + played.stderr
    assert "The case is complete." in played.stdout


def test_a_demo_without_a_stack_says_how_to_start_one(stack: Stack, tmp_path: Path) -> None:
    played = stack.play_demo("--stack", str(tmp_path / "absent.json"))

    assert played.returncode == 1
    assert "Start the local stack with ./dev up" in played.stderr
    assert "Traceback" not in played.stderr


def test_no_key_reaches_the_log(stack: Stack) -> None:
    case_id = stack.open_case()
    stack.wait_for_status(case_id, "RUNNING")

    # The first screen shows the key on purpose; what the processes write comes after it.
    _, is_ready, log = stack.read_log().partition("\nStarted in ")

    assert is_ready
    assert "cases.look_at_case" in log
    for name in ("api_key", "agentmail_api_key", "agentmail_webhook_secret"):
        assert stack.description[name] not in log
