"""The stories that the demo plays, each from POST /cases to the webhook at its end."""

from __future__ import annotations

import json
import time
from typing import Any

from cases.management.stage import Stage

COMPLETE_ANSWER = """Hi Ana,

here you go, signed this morning.

Legal name: Northstar LLC
Tax ID: 12-3456789

Best,
Maya"""
ABSENCE = """I am out of the office and back in two days. In urgent cases please write to my colleagues.

Maya Lindqvist"""
QUESTION = """Hi Ana,

back again. Which of our two companies do you need the form for, and which tax year?

Maya"""


def play_first(stage: Stage) -> None:
    """A case that is answered at once."""
    stage.announce("The application hands the case over: POST /cases")
    stage.open_case(counterparty=_make_maya())
    stage.announce("The agent writes to Maya")
    running = stage.wait_for_status("RUNNING")
    outreach = stage.wait_for_mail(1)
    stage.show_mail(outreach)
    stage.say_state(running)
    _finish(stage, outreach["thread_id"])


def play_long(stage: Stage) -> None:
    """Nine days: silence, an absence, a question that a human answers, and the form at last."""
    stage.announce("Day 0. The application hands the case over: POST /cases")
    stage.open_case(
        counterparty=_make_maya(),
        followUpDelayHours=48,
    )
    outreach = stage.wait_for_mail(1)
    stage.wait_for_status("RUNNING")
    stage.show_mail(outreach)
    _fall_silent(stage)
    _be_away(stage, outreach["thread_id"])
    _ask_back(stage, outreach["thread_id"])
    _finish(stage, outreach["thread_id"])


def _make_maya() -> dict[str, str]:
    """An address of her own for each play: one that bounced in an earlier play gets no more mail."""
    address = f"maya.{time.time_ns() // 1_000_000}@northstar.example"
    return {"name": "Maya Lindqvist", "address": address, "company": "Northstar"}


def _fall_silent(stage: Stage) -> None:
    for number, day in ((1, 2), (2, 4)):
        stage.announce(f"Day {day}. Maya is silent: follow-up {number}, in the same thread")
        stage.advance(48)
        stage.show_mail(stage.wait_for_mail(1 + number))
        stage.say_state(_wait_for_count(stage, 1 + number))


def _wait_for_count(stage: Stage, count: int) -> dict[str, Any]:
    return stage.wait_for_case(f"attemptCount {count}", lambda case: bool(case["attemptCount"] == count))


def _be_away(stage: Stage, thread_id: str) -> None:
    stage.announce("Day 5. An absence note comes back: it is no answer, and gets none")
    stage.advance(24)
    before = stage.get_case()
    stage.reply(thread_id, ABSENCE, subject="Out of office", headers={"Auto-Submitted": "auto-replied"})
    waiting = stage.wait_for_case("a recheck", lambda case: case["nextActionAt"] != before["nextActionAt"])
    stage.say_state(waiting)
    stage.say(f"looks again in {(waiting['nextActionAt'] - waiting['updatedAt']) / 3_600_000:.0f} hours")


def _ask_back(stage: Stage, thread_id: str) -> None:
    stage.announce("Day 7. Maya is back, with a question that only a human of ours can answer")
    stage.advance(48)
    stage.reply(thread_id, QUESTION)
    asked = stage.wait_for_status("INPUT_NEEDED")
    stage.wait_for_notice("case.input_needed")
    stage.say_state(asked)
    stage.say(f"the agent asks: {asked['inputRequest']['question']}")
    stage.announce("The human answers: POST /cases/{id}/input, and the agent writes to Maya")
    body = {"inputRequestId": asked["inputRequest"]["id"], "providedContext": "Northstar LLC, for the tax year 2026."}
    stage.say(body["providedContext"])
    sent_before = asked["attemptCount"]
    stage.stack.call("POST", f"{stage.stack.api}/cases/{stage.case_id}/input", body)
    stage.show_mail(stage.wait_for_mail(sent_before + 1))
    stage.say_state(stage.wait_for_status("RUNNING"))
    stage.advance(40)


def _finish(stage: Stage, thread_id: str) -> None:
    stage.announce("Maya answers, with the file")
    stage.reply(thread_id, COMPLETE_ANSWER, file="w9-northstar.pdf")
    stage.announce("The agent reads the reply and decides")
    ended = stage.wait_for_status("COMPLETED")
    stage.say(f"status {ended['status']}, resultStatus {ended['resultStatus']}, attemptCount {ended['attemptCount']}")
    stage.say(f"result {json.dumps(ended['result'], indent=2)}")
    stage.say("attachments " + ", ".join(attachment["name"] for attachment in ended["attachments"]))
    stage.announce("The application is told: case.completed at its webhook")
    stage.say(json.dumps(stage.wait_for_notice("case.completed"), indent=2))


STORIES = {"first": play_first, "long": play_long}
