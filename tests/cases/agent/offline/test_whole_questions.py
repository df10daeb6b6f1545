"""Questions of the counterparty that must stay whole, and ordinary ones that are no wish for time."""

from typing import Any

import pytest

from cases.agent.decisions import InputNeeded, RequiresReply, Snooze
from cases.agent.offline.agent import OfflineAgent
from tests.cases.agent.builders import replied

AGENT = OfflineAgent()


def judge(text: str, **changes: Any) -> Any:
    return AGENT.evaluate(replied(text, **changes)).value


@pytest.mark.parametrize(
    "text",
    [
        "Which of our two companies do you need the form for, and which tax year?",
        "Which tax year do you need the form for, and who should sign it?",
        "Which tax year do you need the form for, and may I send it by fax?",
        "Which tax year do you need the form for, and can I send it by Friday?",
        # The knowledge holds the deadline and says nothing of the other half.
        "When do you need it by, and which of our companies is meant?",
        "Which of our two companies do you need the form for, and when do you need it by?",
        "When do you need it by, and may I send it by fax?",
        "I will send it tomorrow, and who signs on your side?",
    ],
)
def test_a_question_of_two_parts_reaches_the_human_whole(text: str) -> None:
    decision = judge(text)

    assert isinstance(decision, InputNeeded), decision
    assert decision.question.startswith(f'Maya Lin asks: "{text}" ')


def test_a_question_of_two_parts_is_answered_when_both_answers_are_known() -> None:
    decision = judge("When do you need it by, and what is the PO number?")

    assert isinstance(decision, RequiresReply), decision
    assert "- Deadline: 15 December 2026\n- PO number: PO-4711\n" in decision.body


def test_a_statement_before_a_question_needs_no_answer() -> None:
    decision = judge("Sure thing and when do you need it by?")

    assert isinstance(decision, RequiresReply), decision
    assert "About the deadline: 15 December 2026." in decision.body


@pytest.mark.parametrize(
    "text",
    [
        "can I send it by post?",
        "may I send it by DocuSign?",
        "Can we send it by separate mail?",
        "Can I have it signed by our CFO?",
        "Could you give me the form again?",
        "Could you write the address again?",
        "Can I send it again?",
        "Can I send it in a Word file?",
        "Can I send it in the portal?",
        "Can I send it in writing?",
        "Could you give it to me on paper?",
        "May I send a later version?",
        "Can I send the form for next year?",
        "Can I provide it on the next page?",
    ],
)
def test_a_question_that_only_sounds_like_time_is_a_question(text: str) -> None:
    decision = judge(text)

    assert isinstance(decision, InputNeeded), decision
    assert decision.question.startswith(f'Maya Lin asks: "{text}" ')


@pytest.mark.parametrize(
    "text",
    [
        "Can I send it by Friday?",
        "May I send it by the end of next week?",
        "Can I send it by 3 December?",
        "Can I send it by the 3rd?",
        "Could I get back to you in two weeks?",
        "Can I send it in the next few days?",
        "Could you try again next week?",
        "Could you write again next week?",
        "Could you try again later?",
        "Can I send it a bit later?",
        "Is it okay if I send it tomorrow?",
    ],
)
def test_a_question_that_asks_for_time_waits(text: str) -> None:
    decision = judge(text)

    assert isinstance(decision, Snooze), decision
