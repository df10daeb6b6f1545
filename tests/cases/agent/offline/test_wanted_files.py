"""A case that collects a file is complete only with one, or with a human's word that it needs none."""

from datetime import timedelta
from typing import Any

import pytest

from cases.agent.decisions import GoalAchieved, InputNeeded, RequiresReply, Snooze
from cases.agent.offline.agent import OfflineAgent
from cases.agent.offline.signals import collects_file
from cases.agent.protocol import HumanAnswer, ThreadMessage
from tests.cases.agent.builders import NOW, W9_LINES, W9_RESULT, build_view, our_mail, replied, their_mail

AGENT = OfflineAgent()
OUTREACH = "Could you please send me a signed W-9?\n\nPlease attach it to your reply, as a PDF or a clear scan."
ASKED_AGAIN = "Thank you. Could you please also attach the signed W-9 to your reply?"
ASKED_TWICE = (
    our_mail(OUTREACH, days_ago=6, number=1),
    their_mail(W9_LINES, days_ago=5, number=1),
    our_mail(ASKED_AGAIN, days_ago=4, number=2),
    their_mail(W9_LINES, days_ago=1, number=2),
)


def judge(*thread: ThreadMessage, **changes: Any) -> Any:
    return AGENT.evaluate(build_view(thread=thread, **changes)).value


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("Collect a signed W-9 from Maya at Northstar", True),
        ("Collect W-9 form from Maya Lin at Northstar Supplies.", True),
        ("Collect the legal name, the tax ID and a signed W-9", True),
        ("Remind Maya to send the countersigned NDA", True),
        ("Ask Maya for a copy of the insurance certificate", True),
        ("Signed W-9 from Maya", True),
        ("Get Maya to return the signed contract", True),
        ("Collect the legal name and EIN of Northstar", False),
        ("Collect the tax ID for our W-9", False),
        ("Collect the W-9 details of Northstar", False),
        ("Get the document number from Maya", False),
        ("Confirm that the signed contract has arrived", False),
        ("Ask whether the contract was signed", False),
        ("Get a confirmation that the documents arrived", False),
        ("Ask Maya when she will send the form", False),
        ("Ask who signs the form", False),
        ("Make sure that Maya sends a signed W-9", True),
        ("Confirm the address and collect a signed W-9", True),
        ("", False),
    ],
)
def test_an_objective_says_whether_a_file_is_to_come(objective: str, expected: bool) -> None:
    assert collects_file(objective) is expected


def test_every_value_without_the_file_is_asked_for_the_file() -> None:
    decision = judge(our_mail(), their_mail(W9_LINES))

    assert isinstance(decision, RequiresReply), decision
    assert "Thank you. Could you please also attach the signed W-9 to your reply?" in decision.body


def test_a_file_in_any_earlier_message_of_theirs_is_enough() -> None:
    decision = judge(
        our_mail(OUTREACH, days_ago=6, number=1),
        their_mail("EIN: 12-3456789", days_ago=5, number=1, files=("w9.pdf",)),
        our_mail("And the rest?", days_ago=4, number=2),
        their_mail("Legal name: Northstar LLC\nTax classification: LLC", number=2),
    )

    assert isinstance(decision, GoalAchieved), decision
    assert decision.result == W9_RESULT


def test_an_objective_that_wants_no_file_is_complete_with_the_values() -> None:
    decision = judge(our_mail(), their_mail(W9_LINES), objective="Collect the legal name and EIN of Northstar")

    assert isinstance(decision, GoalAchieved), decision


def test_a_schema_may_want_the_file_too() -> None:
    schema = {"properties": {"w9Received": {"type": "boolean"}, "ein": {"type": "string"}}}
    changes = {"objective": "Bring the supplier's record up to date", "result_schema": schema}
    text = "EIN: 12-3456789\nW9 received: yes"

    assert isinstance(judge(our_mail(), their_mail(text), **changes), RequiresReply)
    assert isinstance(judge(our_mail(), their_mail(text, files=("w9.pdf",)), **changes), GoalAchieved)


def test_a_file_that_did_not_come_after_two_requests_is_a_humans_matter() -> None:
    decision = judge(*ASKED_TWICE)

    assert isinstance(decision, InputNeeded), decision
    assert "gave every value, but no file has come, although we asked for it twice" in decision.question
    assert '"the file is not needed"' in decision.question


def test_two_requests_without_a_word_of_theirs_between_are_no_reason_to_ask_a_human() -> None:
    thread = (our_mail(OUTREACH, days_ago=6), our_mail(ASKED_AGAIN, days_ago=4, number=2), their_mail(W9_LINES))

    assert isinstance(judge(*thread), RequiresReply)


@pytest.mark.parametrize(
    ("remark", "kind"),
    [
        ("Who should I send the original to?", InputNeeded),
        ("I'll send the signed form on Friday.", Snooze),
        ("We will not sign the form.", InputNeeded),
    ],
)
def test_what_they_say_about_the_file_comes_before_another_request(remark: str, kind: type) -> None:
    assert isinstance(judge(our_mail(), their_mail(f"{W9_LINES}\n\n{remark}")), kind)


@pytest.mark.parametrize(
    "answer",
    [
        "The file is not needed.",
        "The form isn't needed.",
        "We don't need the W-9 any more",
        "No form needed",
        "We received the form by post.",
        "I already have the signed W-9",
        "It came by post",
        "Go on without the file",
        "Accept it",
        "yes",
    ],
)
def test_a_humans_word_that_the_file_is_not_needed_or_has_come_completes_the_case(answer: str) -> None:
    question = judge(*ASKED_TWICE).question
    decision = judge(*ASKED_TWICE, reason="input", human_answers=(HumanAnswer(question, answer, NOW),))

    assert isinstance(decision, GoalAchieved), decision
    assert decision.result == W9_RESULT


@pytest.mark.parametrize(
    "answer",
    [
        "We need the form.",
        "We have not received the form",
        "We haven't received it",
        "The form is needed",
        "The form is not needed before Friday",
        "We don't need the form in print, a scan is fine",
        "We cannot go on without the form",
        "We have the form of a partnership",
        "No",
        "remind them",
    ],
)
def test_any_other_word_does_not_complete_it(answer: str) -> None:
    question = judge(*ASKED_TWICE).question
    decision = judge(*ASKED_TWICE, reason="input", human_answers=(HumanAnswer(question, answer, NOW),))

    assert not isinstance(decision, GoalAchieved), decision


def test_a_humans_word_about_the_file_counts_for_later_replies() -> None:
    answers = (HumanAnswer("?", "The form is not needed.", NOW - timedelta(days=3)),)

    assert isinstance(judge(our_mail(), their_mail(W9_LINES), human_answers=answers), GoalAchieved)


def test_a_humans_word_about_another_thing_does_not_count_as_the_file() -> None:
    answers = (HumanAnswer("Maya Lin asks: Did you get our invoice?", "Yes, we received it.", NOW - timedelta(days=3)),)

    assert isinstance(judge(our_mail(), their_mail(W9_LINES), human_answers=answers), RequiresReply)


def test_values_that_a_human_gave_do_not_stand_in_for_the_file() -> None:
    answers = (HumanAnswer("?", W9_LINES, NOW),)
    thread = (our_mail("Hello", days_ago=5), their_mail("Hm, we moved offices."))

    decision = judge(*thread, reason="input", human_answers=answers)

    assert isinstance(decision, RequiresReply), decision
    assert "attach the signed W-9" in decision.body


def test_a_file_question_quotes_what_they_wrote() -> None:
    decision = AGENT.evaluate(replied("Here it is, page 2 has the number. Attached.", files=("w9.pdf",))).value

    assert isinstance(decision, InputNeeded)
    assert decision.question.startswith(
        'Maya Lin sent w9.pdf and wrote: "Here it is, page 2 has the number. Attached." I cannot read files: '
    )
