"""What the order of mails in a thread means: machines, strangers, several replies, waits that are over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cases.agent.decisions import FailedRejected, GoalAchieved, InputNeeded, RequiresReply, Snooze
from cases.agent.offline.agent import OfflineAgent
from cases.agent.protocol import HumanAnswer, ThreadMessage
from tests.cases.agent.builders import NOW, W9_LINES, W9_RESULT, build_view, our_mail, their_mail

AGENT = OfflineAgent()


def judge(*thread: ThreadMessage, **changes: Any) -> Any:
    return AGENT.evaluate(build_view(thread=thread, **changes)).value


def test_values_are_gathered_over_several_replies_each_with_its_own_evidence() -> None:
    decision = judge(
        our_mail(days_ago=5),
        their_mail("Legal name: Northstar LLC\nTax classification: partnership", days_ago=4, number=1),
        our_mail("Could you please also send me the EIN?", days_ago=3, number=2),
        their_mail("EIN: 12-3456789\nTax classification: LLC", days_ago=1, number=2, files=("w9.pdf",)),
    )

    assert isinstance(decision, GoalAchieved), decision
    assert decision.result == W9_RESULT
    assert {item.field: item.message_id for item in decision.evidence} == {
        "legalName": "<them-1@northstar>",
        "ein": "<them-2@northstar>",
        "taxClassification": "<them-2@northstar>",
    }


def test_a_question_of_an_earlier_mail_is_not_about_the_values_of_a_later_one() -> None:
    question = their_mail("Hi Alex,\n\nwhich of our subsidiaries do you need it for?\n\nMaya", days_ago=2, number=1)
    answer = their_mail(f"Hi Alex,\n\nhere you go.\n\n{W9_LINES}\n\nMaya", number=2, files=("w9.pdf",))

    assert isinstance(judge(our_mail(), question, answer, open_question="Which subsidiary?"), GoalAchieved)
    beside = their_mail(f"{W9_LINES}\n\nOr is it the other number?", number=2, files=("w9.pdf",))
    assert isinstance(judge(our_mail(), question, beside), InputNeeded)


def test_a_value_taken_back_is_missing_again() -> None:
    decision = judge(
        our_mail(days_ago=5),
        their_mail("Legal name: Northstar LLC\nEIN: 12-3456789", days_ago=4, number=1),
        our_mail("The tax classification?", days_ago=3, number=2),
        their_mail("Tax classification: LLC\nEIN: to be confirmed", days_ago=1, number=2),
    )

    assert isinstance(decision, RequiresReply), decision
    assert "send me the EIN" in decision.body


def test_the_newest_message_of_a_person_decides() -> None:
    first = their_mail("Not interested.", days_ago=2, number=1)
    second = their_mail(f"Sorry, I misread. Here you are.\n{W9_LINES}", days_ago=1, number=2, files=("w9.pdf",))

    assert isinstance(judge(our_mail(), first), FailedRejected)
    # The refusal still stands in the thread, so a human looks.
    assert isinstance(judge(our_mail(), first, second), InputNeeded)
    assert isinstance(judge(our_mail(), their_mail("Hm, let me see.", days_ago=2), second), GoalAchieved)
    assert isinstance(
        judge(our_mail(), their_mail(W9_LINES, days_ago=2), their_mail("Not interested.", number=2)), InputNeeded
    )


def test_questions_of_all_unanswered_messages_count() -> None:
    decision = judge(our_mail(), their_mail("Who is your CEO?", days_ago=2), their_mail("Thanks!", number=2))

    assert isinstance(decision, InputNeeded)
    assert "Who is your CEO?" in decision.question


def test_a_question_that_we_have_answered_is_not_asked_again() -> None:
    decision = judge(
        our_mail(days_ago=5),
        their_mail("Who is your CEO?", days_ago=4),
        our_mail("It is Jane Roe.", days_ago=3, number=2),
        their_mail(W9_LINES, number=2, files=("w9.pdf",)),
    )

    assert isinstance(decision, GoalAchieved)


def test_the_same_is_asked_for_twice_and_then_a_human_is_asked() -> None:
    ask = "Could you please send me the EIN?"
    partial = "Legal name: Northstar LLC\nTax classification: LLC"
    thread = [
        our_mail("- Legal name:\n- EIN:\n- Tax classification:", days_ago=6, number=1),
        their_mail(partial, days_ago=5, number=1),
    ]
    first = judge(*thread)
    thread += [our_mail(ask, days_ago=4, number=2), their_mail(partial, days_ago=1, number=2)]
    second = judge(*thread)

    assert isinstance(first, RequiresReply)
    assert isinstance(second, InputNeeded), second
    assert "still does not give the EIN, although we asked twice" in second.question


def test_a_file_is_asked_for_twice_and_then_a_human_is_asked() -> None:
    thread = (
        our_mail("Please attach it.", days_ago=6, number=1),
        their_mail("See attached.", days_ago=5, number=1),
        our_mail("No file has arrived, please attach it.", days_ago=4, number=2),
        their_mail("See attached.", days_ago=1, number=2),
    )

    assert isinstance(judge(*thread[:2]), RequiresReply)
    assert isinstance(judge(*thread), InputNeeded)


@pytest.mark.parametrize("text", [W9_LINES, "Not interested.", "Confirmed.", "I'm away until 3 December."])
def test_somebody_else_never_ends_a_case(text: str) -> None:
    stranger = their_mail(text, sender="other", name="Bob Roe", files=("w9.pdf",))
    for changes in ({}, {"result_schema": None, "objective": "Confirm that it works"}):
        decision = judge(our_mail(), stranger, **changes)

        assert isinstance(decision, InputNeeded), decision
        assert decision.question.startswith("Bob Roe, who is not the counterparty of this case, wrote: ")


def test_values_of_somebody_else_are_not_gathered() -> None:
    decision = judge(
        our_mail(),
        their_mail("EIN: 99-9999999", sender="other", name="Bob Roe", days_ago=2, number=1),
        their_mail("Legal name: Northstar LLC\nTax classification: LLC", number=2),
    )

    assert isinstance(decision, RequiresReply), decision
    assert "send me the EIN" in decision.body


def test_an_absence_note_waits_until_its_date() -> None:
    note = their_mail("I am out of the office from 20 to 27 November.\nBack on 30 November.", automatic="out_of_office")

    decision = judge(our_mail(), note)

    assert isinstance(decision, Snooze)
    assert decision.until == datetime(2026, 11, 30, 8, 0, tzinfo=UTC)


def test_a_date_in_the_subject_of_an_absence_note_counts() -> None:
    note = their_mail("Thanks for your mail.", automatic="out_of_office", subject="Abwesend bis 30.11.2026")

    decision = judge(our_mail(), note)

    assert isinstance(decision, Snooze)
    assert decision.until == datetime(2026, 11, 30, 8, 0, tzinfo=UTC)


def test_an_absence_note_without_a_date_waits_three_days() -> None:
    decision = judge(our_mail(), their_mail("I am out of the office.", automatic="out_of_office"))

    assert isinstance(decision, Snooze)
    assert decision.until == datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


def test_an_absence_of_many_months_goes_to_a_human() -> None:
    assert isinstance(
        judge(our_mail(), their_mail("I am on parental leave until 1 June 2027.", automatic="out_of_office")),
        InputNeeded,
    )


@pytest.mark.parametrize("kind", ["autoreply", "acknowledgement", "delivery_report"])
@pytest.mark.parametrize("text", [W9_LINES, "Confirmed.", "Not interested.", "Ticket 4711 was opened."])
def test_other_automatic_mail_is_no_answer_and_waits_a_day(kind: str, text: str) -> None:
    decision = judge(our_mail(), their_mail(text, automatic=kind))

    assert isinstance(decision, Snooze), decision
    assert decision.until == NOW + timedelta(days=1)


def test_automatic_mail_after_a_persons_does_not_hide_it() -> None:
    note = their_mail("I am out of the office until 30 November.", days_ago=0.5, number=2, automatic="out_of_office")

    assert isinstance(judge(our_mail(), their_mail(W9_LINES, files=("w9.pdf",)), note), GoalAchieved)


def test_a_reply_that_crossed_our_mail_is_judged() -> None:
    reply = their_mail(W9_LINES, days_ago=2, files=("w9.pdf",))
    decision = judge(our_mail(days_ago=5), reply, our_mail("A reminder", days_ago=1, number=2))

    assert isinstance(decision, GoalAchieved)


@pytest.mark.parametrize(
    "text", ["I'm away until 2026-11-24.", "Let me check and get back to you.", "Thanks!", "Back tomorrow."]
)
def test_when_the_wait_is_over_and_nothing_came_they_are_reminded(text: str) -> None:
    decision = judge(our_mail(), their_mail(text, days_ago=4), reason="recheck", snoozes_in_a_row=1)

    assert isinstance(decision, RequiresReply), decision
    assert "May I come back to the signed W-9?" in decision.body


def test_a_recheck_after_an_absence_note_reminds_them() -> None:
    note = their_mail("I am out of the office until 23 November.", days_ago=4, automatic="out_of_office")

    assert isinstance(judge(our_mail(), note, reason="recheck", snoozes_in_a_row=1), RequiresReply)


def test_a_recheck_of_a_silent_thread_reminds_them() -> None:
    assert isinstance(judge(our_mail(), reason="recheck"), RequiresReply)


def test_a_recheck_that_finds_an_answer_takes_it() -> None:
    reply = their_mail(W9_LINES, days_ago=0.1, files=("w9.pdf",))

    assert isinstance(judge(our_mail(), reply, reason="recheck"), GoalAchieved)


def test_a_recheck_without_new_messages_reminds_whatever_the_old_ones_say() -> None:
    decision = judge(our_mail(), their_mail("Next Tuesday.", days_ago=0), reason="recheck", new_message_ids=())

    assert isinstance(decision, RequiresReply)


def test_a_wait_that_was_granted_once_is_not_granted_again_for_the_same_words() -> None:
    old = their_mail("Give me two weeks.", days_ago=2)

    assert isinstance(judge(our_mail(), old, reason="recheck", snoozes_in_a_row=1), RequiresReply)
    newer = {"new_message_ids": (old.message_id,), "snoozes_in_a_row": 1}
    assert isinstance(judge(our_mail(), old, reason="recheck", **newer), Snooze)


def test_a_recheck_does_not_ask_a_human_again_about_what_was_answered() -> None:
    answers = (HumanAnswer("How should I go on?", "wait until Tuesday", NOW - timedelta(hours=1)),)
    hard = their_mail("Hm, we moved offices.", days_ago=2)

    assert isinstance(judge(our_mail(), hard, reason="recheck"), InputNeeded)
    assert isinstance(judge(our_mail(), hard, reason="recheck", human_answers=answers), RequiresReply)


def test_a_reminder_names_what_is_missing() -> None:
    decision = judge(
        our_mail(),
        their_mail("Legal name: Northstar LLC\nTax classification: LLC. I'll send the rest soon.", days_ago=5),
        reason="recheck",
    )

    assert isinstance(decision, RequiresReply)
    assert "Could you please also send me the EIN?" in decision.body


@pytest.mark.parametrize("reason", ["reply", "input", "follow_up", "outreach"])
def test_a_thread_without_any_mail_waits_a_day(reason: str) -> None:
    decision = judge(reason=reason)

    assert isinstance(decision, Snooze)
    assert decision.until == NOW + timedelta(days=1)


def test_a_reply_judged_late_does_not_snooze_into_the_past() -> None:
    decision = judge(our_mail(), their_mail("I'll send it on Tuesday.", days_ago=1))

    # Said on Monday about today, whose morning is over.
    assert isinstance(decision, Snooze)
    assert decision.until == datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
