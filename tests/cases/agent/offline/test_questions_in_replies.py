"""Wishes for time and questions in replies: who waits until when, and what is answered from the knowledge."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cases.agent.decisions import InputNeeded, RequiresReply, Snooze
from cases.agent.offline.agent import OfflineAgent
from tests.cases.agent.builders import replied

AGENT = OfflineAgent()


def judge(text: str, **changes: Any) -> Any:
    return AGENT.evaluate(replied(text, **changes)).value


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("I'm away until 3 December.", (2026, 12, 3)),
        ("I'm out of office from 1 to 5 December. Back on 8 December.", (2026, 12, 8)),
        ("Next Tuesday.", (2026, 12, 1)),
        ("I'll send it by Friday.", (2026, 11, 27)),
        ("Please give me two weeks.", (2026, 12, 7)),
        ("Can you give me until Friday?", (2026, 11, 27)),
        ("We will not be able to before Friday.", (2026, 11, 27)),
        ("We need another 3 weeks.", (2026, 12, 14)),
        ("Legal name: Northstar LLC. The rest follows, I'll send it on Friday.", (2026, 11, 27)),
        ("Ich bin bis zum 8. Dezember im Urlaub.", (2026, 12, 8)),
        ("Ich melde mich nächsten Dienstag.", (2026, 12, 1)),
        ("Nicht vor Montag.", (2026, 11, 30)),
        ("Je suis en congés jusqu'au 7 décembre.", (2026, 12, 7)),
        ("Je vous envoie le document vendredi.", (2026, 11, 27)),
        ("Estoy de vacaciones hasta el 9 de diciembre.", (2026, 12, 9)),
        ("Le enviaré el documento el viernes.", (2026, 11, 27)),
        ("Sono in ferie fino al 7 dicembre.", (2026, 12, 7)),
        ("Ik ben afwezig tot 5 december.", (2026, 12, 5)),
        ("Ik stuur het volgende week.", (2026, 11, 30)),
    ],
)
def test_a_wish_for_time_waits_until_nine_in_their_morning(text: str, until: tuple[int, int, int]) -> None:
    decision = judge(text)

    assert isinstance(decision, Snooze), decision
    # Their zone is Berlin, and it is winter.
    assert decision.until == datetime(*until, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Let me check and get back to you.",
        "I'm on vacation right now.",
        "Will do!",
        "Thanks, got it.",
        "Thank you.",
    ],
)
def test_a_wish_for_time_without_a_day_waits_three_days(text: str) -> None:
    decision = judge(text)

    assert isinstance(decision, Snooze), decision
    assert decision.until == datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I'm back on 3 March.", "longer than the 60 days"),
        ("I'm away until 20 November.", "longer than the 60 days"),
        ("I'm away until 2026-11-20.", "that day is past"),
        ("I'm away until 04/05.", "can be read two ways"),
    ],
)
def test_a_past_far_or_unclear_day_goes_to_a_human(text: str, reason: str) -> None:
    decision = judge(text)

    assert isinstance(decision, InputNeeded), decision
    assert reason in decision.question


@pytest.mark.parametrize(
    "text", ["I was on vacation last week.", "I'm back from vacation.", "We waited until Friday last year."]
)
def test_an_absence_that_is_over_makes_nobody_wait(text: str) -> None:
    assert not isinstance(judge(text), Snooze)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("When do you need it by?", "About the deadline: 15 December 2026."),
        ("What is the PO number?", "About the PO number: PO-4711."),
        ("I need the PO number before I can sign.", "About the PO number: PO-4711."),
        ("Who are you?", "I am Alex Kim, Accounts Payable at Acme."),
        ("Why do you need a W-9?", "The IRS requires it before the first payment."),
    ],
)
def test_a_question_that_the_knowledge_plainly_answers_is_answered(text: str, answer: str) -> None:
    decision = judge(text)

    assert isinstance(decision, RequiresReply), decision
    assert answer in decision.body
    assert decision.body.index(answer) < decision.body.index("Could you please send me a signed W-9?")


def test_two_questions_get_two_answers() -> None:
    decision = judge("Sure, when do you need it by? And what is the PO number?")

    assert isinstance(decision, RequiresReply)
    assert "- Deadline: 15 December 2026\n- PO number: PO-4711\n" in decision.body


@pytest.mark.parametrize(
    "knowledge",
    [
        "The first payment runs on 15 December 2026. The form goes to the IRS.",
        {"payment": "The first payment runs on 15 December 2026."},
        "First payment: 15 December 2026",
    ],
)
def test_sentences_and_lines_of_knowledge_answer_too(knowledge: Any) -> None:
    decision = judge("When is the first payment?", knowledge=knowledge)

    assert isinstance(decision, RequiresReply), decision
    assert "15 December 2026" in decision.body


@pytest.mark.parametrize(
    "text",
    [
        "What is your budget?",
        "Who is your CEO?",
        "Who signs the first payment order for the new building?",
        "Which form do you mean?",
        "When do you need it by, and who signs on your side?",
        "Can we talk next Tuesday?",
        "I'm away until 3 December. Who signs on your side?",
        "Please send the form to my new address.",
        "We need your VAT number.",
        "Why is the sky blue?",
    ],
)
def test_any_other_question_goes_to_a_human_in_their_words(text: str) -> None:
    decision = judge(text)

    assert isinstance(decision, InputNeeded), decision
    assert "Maya Lin asks: " in decision.question


def test_private_knowledge_answers_nothing() -> None:
    secret = {"budget": "3200 EUR"}

    decision = judge("What is your budget?", knowledge={"private": secret}, private_knowledge=secret)

    assert isinstance(decision, InputNeeded)
    assert "3200" not in decision.question


def test_an_answer_that_would_leak_goes_to_a_human() -> None:
    view = replied("What is the code?", knowledge={"code": "9000"}, private_knowledge={"city": "best regards"})

    outcome = AGENT.evaluate(view)

    assert isinstance(outcome.value, InputNeeded)
    assert outcome.audit.guard_hits == ("private: something of the private knowledge",)
    assert "best regards" not in outcome.value.question.lower()
