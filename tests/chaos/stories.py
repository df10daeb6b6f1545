"""What each shape of a case goes through, and how it must end; the checker holds the run to what is returned here."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.chaos.plan import Shape
from tests.chaos.player import Astray, Player

ANSWER = "Hi Ana,\n\nhere you go.\n\nLegal name: Northstar LLC\nTax ID: 12-3456789\n\nMaya"
RESULT = {"legalName": "Northstar LLC", "taxId": "12-3456789"}
W9 = {
    "filename": "w9.pdf",
    "content_type": "application/pdf",
    "content": base64.b64encode(b"%PDF-1.4 signed").decode(),
}
REFUSAL = "Hello Ana,\n\nwe are not interested. Please stop writing to us.\n\nMaya"
QUESTION = "Hi Ana,\n\nwhich of our subsidiaries do you need it for?\n\nMaya"
HUMAN_ANSWER = "For Northstar Logistics LLC."
DELAY = "Hi Ana,\n\nI am travelling; you will have it in ten days.\n\nMaya"
ABSENCE = "I am out of the office for 2 days."
AUTOMATIC = {"headers": {"Auto-Submitted": "auto-replied"}}


@dataclass(frozen=True, slots=True)
class Ending:
    """The end that a case must have come to. `mails`: how many at least and at most were sent."""

    status: str
    result_status: str
    mails: tuple[int, int]
    result: dict[str, Any] | None = None


def complete(mails: int) -> Ending:
    return Ending("COMPLETED", "goal_achieved", (mails, mails), RESULT)


def fail(result_status: str, mails: int, most: int | None = None) -> Ending:
    return Ending("FAILED", result_status, (mails, mails if most is None else most))


def play_complete(player: Player) -> Ending:
    """Answered at once; what comes after the end changes nothing."""
    player.open()
    player.wait_until_rested(1)
    player.reply(ANSWER, attachments=[W9])
    player.wait_for_end()
    player.reply("One more question: may we use your logo?")
    return complete(1)


def play_refuse(player: Player) -> Ending:
    """Opened by a client that sends everything twice."""
    player.open()
    player.open()
    player.wait_for_mail()
    player.reply(REFUSAL)
    player.wait_for_end()
    return fail("failed_rejected", 1)


def play_ask(player: Player) -> Ending:
    """A question that only a human of the client's can answer."""
    player.open()
    player.wait_until_rested(1)
    player.reply(QUESTION)
    question_id = player.answer_question(HUMAN_ANSWER)
    player.wait_until_rested(2)
    # Under its key, the answer to a question that is long settled is acknowledged again and does nothing.
    if not player.give_input(question_id, HUMAN_ANSWER):
        raise Astray("a repeated answer was not acknowledged again")
    player.reply(ANSWER, attachments=[W9])
    player.wait_for_end()
    return complete(2)


def play_ask_first(player: Player) -> Ending:
    """A question before anything was sent."""
    player.open(goal={"objective": "W-9"})
    player.answer_question("Collect a signed W-9 form from Maya.")
    player.wait_until_rested(1)
    player.reply(ANSWER, attachments=[W9])
    player.wait_for_end()
    return complete(1)


def play_answered_by_agent(player: Player) -> Ending:
    knowledge = {"Invoice number": "1042", "Mailing address": "12 Harbour Street, Bristol"}
    player.open(goal={"objective": "Collect a signed W-9 from Maya at Northstar", "knowledge": knowledge})
    player.wait_until_rested(1)
    player.reply("Hi Ana,\n\nwhat is your mailing address?\n\nMaya")
    player.wait_until_rested(2)
    player.reply(ANSWER, attachments=[W9])
    player.wait_for_end()
    return complete(2)


def play_snooze(player: Player) -> Ending:
    """Put off for ten days, reminded, answered."""
    player.open()
    player.wait_until_rested(1)
    player.reply(DELAY)
    player.wait_until_rested(1, "recheck")
    player.advance(24 * 11)
    player.wait_until_rested(2)
    player.reply(ANSWER, attachments=[W9])
    player.wait_for_end()
    return complete(2)


def play_absent(player: Player) -> Ending:
    player.open()
    player.wait_until_rested(1)
    player.reply(ABSENCE, subject="Out of office", **AUTOMATIC)
    player.wait_until_rested(1, "recheck")
    player.reply(ANSWER, attachments=[W9])
    player.wait_for_end()
    return complete(1)


def play_auto_reply(player: Player) -> Ending:
    """An automatic mail is no answer: the follow-up goes out."""
    player.open(followUpDelayHours=24)
    player.wait_until_rested(1)
    player.reply("Your request was received.", subject="[Ticket #4711] We have received your request", **AUTOMATIC)
    player.wait_for_handled_replies(1)
    player.advance(24)
    player.wait_until_rested(2)
    player.reply(ANSWER, attachments=[W9])
    player.wait_for_end()
    return complete(2)


def play_silent(player: Player) -> Ending:
    player.open(maxAttempts=2, followUpDelayHours=24)
    for sent in (1, 2, 3):
        player.wait_until_rested(sent)
        player.advance(24)
    player.wait_for_end()
    return fail("max_retries", 3)


def play_silent_at_once(player: Player) -> Ending:
    player.open(maxAttempts=0, followUpDelayHours=24)
    player.wait_until_rested(1)
    player.advance(24)
    player.wait_for_end()
    return fail("max_retries", 1)


def play_bounce(player: Player) -> Ending:
    player.open()
    player.wait_until_rested(1)
    player.report("bounce")
    player.wait_for_end()
    return fail("BOUNCED", 1)


def play_bounce_early(player: Player) -> Ending:
    """The bounce may be reported before our commit of the thread's id."""
    player.open()
    player.wait_for_mail()
    player.report("bounce")
    player.wait_for_end()
    return fail("BOUNCED", 1)


def play_complain(player: Player) -> Ending:
    """The second mail is complained about."""
    player.open(followUpDelayHours=24)
    player.wait_until_rested(1)
    player.advance(24)
    player.wait_for_mail(2)
    player.report("complaint")
    player.wait_for_end()
    return fail("COMPLAINED", 2)


def play_reject(player: Player) -> Ending:
    player.open()
    player.wait_until_rested(1)
    player.report("reject")
    player.wait_for_end()
    return fail("REJECTED", 1)


def play_blocked(player: Player) -> Ending:
    player.block_address()
    player.open()
    player.wait_for_end()
    return fail("send_failed", 0)


def play_cancel(player: Player) -> Ending:
    """What was answered just before is still judged, or not; a reply after the end changes nothing."""
    player.open()
    player.wait_until_rested(1)
    player.cancel()
    player.reply("What is your mailing address?")
    player.wait_for_end()
    return fail("cancelled", 1)


def play_cancel_early(player: Player) -> Ending:
    """The first mail may be on its way: then it counts, and nothing follows it."""
    player.open()
    player.cancel()
    player.wait_for_end()
    return fail("cancelled", 0, 1)


def play_reply_early(player: Player) -> Ending:
    """The reply may be reported before our commit of the thread's id."""
    player.open()
    player.wait_for_mail()
    player.reply(ANSWER, attachments=[W9])
    player.wait_for_end()
    return complete(1)


def play_two_replies(player: Player) -> Ending:
    """Two halves of an answer, at once; the first may be answered before the second is read."""
    player.open()
    player.wait_until_rested(1)
    player.reply("Legal name: Northstar LLC")
    player.reply("Tax ID: 12-3456789", attachments=[W9])
    player.wait_for_end()
    return Ending("COMPLETED", "goal_achieved", (1, 2), RESULT)


def play_race(player: Player) -> Ending:
    """Answer, cancel and reply in one instant: whichever was acknowledged decides."""
    player.open()
    player.wait_until_rested(1)
    player.reply(QUESTION)
    question_id = player.wait_for_question()
    with ThreadPoolExecutor(3) as pool:
        replied = pool.submit(player.reply, ANSWER, attachments=[W9])
        answered = pool.submit(player.give_input, question_id, HUMAN_ANSWER)
        cancelled = pool.submit(player.cancel)
        replied.result()
        answered.result()
        is_cancelled = cancelled.result()
    player.wait_for_end()
    if is_cancelled:
        return fail("cancelled", 1, 2)
    return Ending("COMPLETED", "goal_achieved", (1, 2), RESULT)


STORIES: dict[Shape, Callable[[Player], Ending]] = {
    Shape.COMPLETE: play_complete,
    Shape.REFUSE: play_refuse,
    Shape.ASK: play_ask,
    Shape.ASK_FIRST: play_ask_first,
    Shape.ANSWERED_BY_AGENT: play_answered_by_agent,
    Shape.SNOOZE: play_snooze,
    Shape.ABSENT: play_absent,
    Shape.AUTO_REPLY: play_auto_reply,
    Shape.SILENT: play_silent,
    Shape.SILENT_AT_ONCE: play_silent_at_once,
    Shape.BOUNCE: play_bounce,
    Shape.BOUNCE_EARLY: play_bounce_early,
    Shape.COMPLAIN: play_complain,
    Shape.REJECT: play_reject,
    Shape.BLOCKED: play_blocked,
    Shape.CANCEL: play_cancel,
    Shape.CANCEL_EARLY: play_cancel_early,
    Shape.REPLY_EARLY: play_reply_early,
    Shape.TWO_REPLIES: play_two_replies,
    Shape.RACE: play_race,
}
