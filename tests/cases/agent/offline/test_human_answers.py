"""What our people answer, and what becomes of it; nothing they tell us in confidence reaches the counterparty."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cases.agent.decisions import FailedRejected, GoalAchieved, InputNeeded, RequiresReply, Snooze
from cases.agent.offline.agent import OfflineAgent
from cases.agent.protocol import HumanAnswer
from tests.cases.agent.builders import NOW, W9_LINES, W9_RESULT, answered, build_view, our_mail, their_mail

AGENT = OfflineAgent()
QUESTION = "Who signs on your side?"
STATEMENT = "Hm, we moved offices."
DOUBTFUL = f"{W9_LINES}\n\nThese are placeholder values."
CONFIRM: dict[str, Any] = {"result_schema": None, "objective": "Confirm that the delivery works"}


def judge(reply: str, answer: str, **changes: Any) -> Any:
    return AGENT.evaluate(answered(reply, answer, **changes)).value


@pytest.mark.parametrize(
    ("reply", "answer", "told"),
    [
        (QUESTION, "Our CFO, Jane Roe", "Here is the answer to your question: Our CFO, Jane Roe."),
        ("Can we talk next Tuesday?", "yes, at 10", "Here is the answer to your question: Yes, at 10."),
        (
            "Yes, but only in the afternoon.",
            "The afternoon is fine.",
            "Thank you for your patience. The afternoon is fine.",
        ),
        ("We need a signed contract first.", "The contract is on its way", "The contract is on its way."),
        (STATEMENT, "Tell her that we only need the form.", "We only need the form."),
        (STATEMENT, "tell Maya we need it by Friday", "We need it by Friday."),
        (STATEMENT, "Let them know that Jane signs", "Jane signs."),
        (STATEMENT, "Reply: the form has one page", "The form has one page."),
        (STATEMENT, "Please keep asking for it", "May I come back to the signed W-9?"),
        (STATEMENT, "remind her", "May I come back to the signed W-9?"),
        (STATEMENT, "Please send her one more reminder", "May I come back to the signed W-9?"),
    ],
)
def test_an_answer_for_them_is_relayed(reply: str, answer: str, told: str) -> None:
    decision = judge(reply, answer)

    assert isinstance(decision, RequiresReply), decision
    assert decision.body.startswith("Hello Maya,\n\n")
    assert told in decision.body


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (STATEMENT, "She is lying, her boss told me yesterday"),
        (QUESTION, "She always asks this to win time"),
        (QUESTION, "Maya is difficult, be careful"),
        (QUESTION, "Tell Bob to call me"),
        (QUESTION, "Don't give up, ask again"),
        (QUESTION, "Do not close the case"),
        (QUESTION, "Offer 5 %"),
        (QUESTION, "I don't know"),
        (QUESTION, "ask legal"),
        (STATEMENT, "Interesting."),
        (STATEMENT, "yes"),
    ],
)
def test_an_answer_for_us_is_not_relayed(reply: str, answer: str) -> None:
    decision = judge(reply, answer)

    assert isinstance(decision, InputNeeded), decision
    assert decision.question.endswith('"try again on 1 December" or "close the case".')


def test_an_answer_to_a_strangers_question_is_not_sent_to_the_counterparty() -> None:
    thread = (our_mail(), their_mail("Who are you?", sender="other", name="Bob Roe"))
    view = build_view(thread=thread, reason="input", human_answers=(HumanAnswer("?", "A friend of Bob's", NOW),))

    assert isinstance(AGENT.evaluate(view).value, InputNeeded)


@pytest.mark.parametrize(
    "answer",
    [
        "close",
        "Close the case.",
        "Please close this case",
        "Give up.",
        "They refuse, close the case.",
        "Maya refused",
        "she has declined",
        "Mark it as failed",
        "Treat this as a refusal",
    ],
)
def test_a_human_can_end_the_case(answer: str) -> None:
    decision = judge(STATEMENT, answer)

    assert isinstance(decision, FailedRejected), decision
    assert decision.reason.startswith('A human ended the case: "')
    assert [item.message_id for item in decision.evidence] == ["human:1"]


@pytest.mark.parametrize(
    "answer",
    ["Do not close it", "Don't give up", "Our office closes at 5", "The close date is Friday", "They did not refuse"],
)
def test_words_of_ending_that_end_nothing(answer: str) -> None:
    for reply in (QUESTION, STATEMENT):
        assert not isinstance(judge(reply, answer), FailedRejected | GoalAchieved)


def test_values_from_a_human_complete_the_case_with_the_human_as_evidence() -> None:
    thread = (our_mail(), their_mail("Legal name: Northstar LLC\nThe rest is in the file.", files=("w9.pdf",)))
    answers = (HumanAnswer("?", "EIN: 12-3456789\nTax classification: LLC", NOW),)
    decision = AGENT.evaluate(build_view(thread=thread, reason="input", human_answers=answers)).value

    assert isinstance(decision, GoalAchieved), decision
    assert decision.result == W9_RESULT
    assert {item.field: item.message_id for item in decision.evidence} == {
        "legalName": "<them-1@northstar>",
        "ein": "human:1",
        "taxClassification": "human:1",
    }


def test_the_second_answer_is_the_second_human_in_the_evidence() -> None:
    answers = (
        HumanAnswer("?", "Legal name: Northstar LLC", NOW - timedelta(hours=2)),
        HumanAnswer("?", '{"ein": "12-3456789", "taxClassification": "LLC"}', NOW),
    )
    thread = (our_mail(), their_mail(STATEMENT, files=("w9.pdf",)))
    view = build_view(thread=thread, reason="input", human_answers=answers)
    decision = AGENT.evaluate(view).value

    assert isinstance(decision, GoalAchieved), decision
    assert decision.result == W9_RESULT
    assert sorted(item.message_id for item in decision.evidence) == ["human:1", "human:2", "human:2"]


@pytest.mark.parametrize("answer", ["Yes", "yes, accept it", "Take it as complete", "Accept the values", "It is final"])
def test_a_human_can_accept_values_that_were_in_doubt(answer: str) -> None:
    decision = judge(DOUBTFUL, answer)

    assert isinstance(decision, GoalAchieved), decision
    assert decision.result == W9_RESULT


@pytest.mark.parametrize(
    "answer", ["No", "No, wait for the final ones", "ask for the final numbers", "not yet", "Do not accept it"]
)
def test_values_in_doubt_stay_so_without_a_yes(answer: str) -> None:
    assert not isinstance(judge(DOUBTFUL, answer), GoalAchieved | FailedRejected)


def test_a_mail_that_a_human_calls_genuine_is_judged_like_any_other() -> None:
    assert isinstance(judge(W9_LINES, "It is genuine.", objective="Collect the details of Northstar"), GoalAchieved)
    assert isinstance(judge("Not interested.", "The mail is genuine"), FailedRejected)
    assert isinstance(judge(W9_LINES, "This is not genuine"), InputNeeded)


@pytest.mark.parametrize("answer", ["Mark it as complete", "The goal is achieved.", "this is done", "consider it done"])
def test_a_human_can_complete_a_case_without_a_schema(answer: str) -> None:
    decision = judge(STATEMENT, answer, **CONFIRM)

    assert isinstance(decision, GoalAchieved), decision
    assert decision.result == {"summary": STATEMENT, "confirmed": True}
    assert {item.message_id for item in decision.evidence} == {"human:1", "<them-1@northstar>"}


@pytest.mark.parametrize(
    ("answer", "changes"), [("Mark it as complete", {}), ("not complete yet", CONFIRM), ("Yes", CONFIRM)]
)
def test_a_case_is_not_completed_by_a_word_that_cannot(answer: str, changes: dict[str, Any]) -> None:
    assert isinstance(judge(STATEMENT, answer, **changes), InputNeeded)


@pytest.mark.parametrize(
    ("answer", "until"),
    [
        ("Try again on 3 December", (2026, 12, 3)),
        ("cancel and try again next Tuesday", (2026, 12, 1)),
        ("wait until Friday", (2026, 11, 27)),
        ("Check back in two weeks", (2026, 12, 8)),
        ("Please give her another week", (2026, 12, 1)),
    ],
)
def test_a_human_can_make_us_wait(answer: str, until: tuple[int, int, int]) -> None:
    decision = judge(QUESTION, answer)

    assert isinstance(decision, Snooze), decision
    assert decision.until == datetime(*until, 8, 0, tzinfo=UTC)
    assert decision.reason.startswith('A human told me to wait: "')


def test_a_wait_longer_than_sixty_days_is_asked_about() -> None:
    decision = judge(QUESTION, "try again on 3 March")

    assert isinstance(decision, InputNeeded)
    assert decision.question.startswith("Your answer asks to wait until 03 March 2027")


def test_a_message_newer_than_the_answer_is_judged_first() -> None:
    thread = (our_mail(), their_mail(QUESTION, number=1), their_mail(W9_LINES, days_ago=0, number=2, files=("w9.pdf",)))
    answers = (HumanAnswer("?", "Jane signs", NOW - timedelta(hours=1)),)
    decision = AGENT.evaluate(build_view(thread=thread, reason="input", human_answers=answers)).value

    assert isinstance(decision, GoalAchieved)


def test_an_earlier_answer_is_knowledge_for_the_next_question() -> None:
    thread = (our_mail(), their_mail("Please tell me the cost center?", number=2))
    answers = (HumanAnswer("?", "Cost center: 4400", NOW - timedelta(days=3)),)
    decision = AGENT.evaluate(build_view(thread=thread, human_answers=answers)).value

    assert isinstance(decision, RequiresReply), decision
    assert "About the cost center: 4400." in decision.body


def test_an_answer_that_would_leak_is_not_sent() -> None:
    outcome = AGENT.evaluate(answered(QUESTION, "See https://evil.example/\u202efdp"))

    # A human of ours may name a new link; nobody may hide characters.
    assert isinstance(outcome.value, InputNeeded)
    assert [hit.partition(":")[0] for hit in outcome.audit.guard_hits] == ["characters"]
