"""What a model answers, from the bytes on the wire to the outcome of the protocol."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from cases.agent.decisions import InputNeeded
from cases.agent.prompted import PromptedAgent
from cases.agent.protocol import AgentOverBudget, AgentTemporary, AgentUnusable
from cases.agent.provider.client import CallLimits, ProviderClient
from cases.agent.provider.models import ModelChoice
from tests.cases.agent.builders import build_view
from tests.cases.agent.wire.conftest import NAME, WRONG_NAME, Wire, dollars, make_view
from tests.cases.agent.wire.stub import Answer, ModelStub, choose, cut_off, fail, refuse, send, speak

pytestmark = pytest.mark.filterwarnings("error::UserWarning")
FORM = "answer_goal_achieved"


def test_a_valid_answer_is_taken_with_what_it_cost(wire: Wire) -> None:
    wire.stub.play(wire.choose(NAME))

    outcome = wire.evaluate()

    assert outcome.value.model_dump(exclude={"rationale", "confidence"}, mode="json") == {
        "kind": "GOAL_ACHIEVED",
        "result": {"legalName": "Northstar LLC"},
        # The real id, not the alias that the model was shown.
        "evidence": [{"field": "legalName", "message_id": "<them-1@northstar>", "quote": "We are Northstar LLC."}],
    }
    audit = outcome.audit
    assert (audit.tokens_in, audit.tokens_out, audit.cost_usd) == (1000, 50, dollars(wire.dialect, 1))
    assert audit.model_answered == {"openai": "gpt-4.1-2025-04-14", "anthropic": "claude-sonnet-4-6"}[wire.dialect]
    assert (audit.implementation, audit.model_asked) == ("model", wire.choice().name)
    assert (audit.reasks, audit.guard_hits, audit.message_ids) == ((), (), ("<us-1@acme>", "<them-1@northstar>"))


def test_the_request_offers_the_five_forms_and_nothing_else_to_call(wire: Wire) -> None:
    wire.stub.play(wire.choose(NAME))

    wire.evaluate()

    [asked] = wire.stub.asked
    assert sorted(asked.list_tools()) == [
        "answer_failed_rejected",
        "answer_goal_achieved",
        "answer_input_needed",
        "answer_requires_reply",
        "answer_snooze",
    ]
    assert asked.body["temperature"] == 0
    assert asked.body.get("max_tokens", asked.body.get("max_completion_tokens")) == 1000
    assert asked.headers["authorization"] == "Bearer sk-test"


def test_an_answer_that_code_finds_wrong_is_asked_for_again_with_the_reason(wire: Wire) -> None:
    wire.stub.play(wire.choose(WRONG_NAME), wire.choose(NAME))

    outcome = wire.evaluate()

    reason = "evidence: legalName: the value cannot be found in the message that the evidence names"
    assert outcome.audit.reasks == (reason,)
    assert any(reason in text for text in wire.stub.asked[1].find_texts())
    assert (outcome.audit.tokens_in, outcome.audit.cost_usd) == (2000, dollars(wire.dialect, 2))


@pytest.mark.parametrize("broken", [{"kind": "GOAL_ACHIEVED"}, {**NAME, "verdict": "yes"}])
def test_an_answer_that_breaks_its_form_is_asked_for_again(wire: Wire, broken: dict[str, Any]) -> None:
    wire.stub.play(wire.choose(broken), wire.choose(NAME))

    outcome = wire.evaluate()

    assert (outcome.value.kind, len(wire.stub.asked)) == ("GOAL_ACHIEVED", 2)


def test_an_answer_that_is_never_right_goes_to_a_human_after_two_re_asks_with_all_its_cost(wire: Wire) -> None:
    wire.stub.play_always(lambda _: wire.choose(WRONG_NAME))

    error = wire.fail()

    assert isinstance(error, AgentUnusable)
    assert error.reason == f"{wire.choice().name} gave no answer that may be used (UnexpectedModelBehavior)."
    assert len(wire.stub.asked) == 3
    assert error.audit is not None
    assert (error.audit.tokens_in, error.audit.tokens_out) == (3000, 150)
    assert (error.audit.cost_usd, len(error.audit.reasks)) == (dollars(wire.dialect, 3), 3)


def test_plain_text_instead_of_an_answer_is_asked_for_again(wire: Wire) -> None:
    wire.stub.play(speak(wire.dialect, "The legal name is Northstar LLC."), wire.choose(NAME))

    assert wire.evaluate().value.kind == "GOAL_ACHIEVED"
    assert len(wire.stub.asked) == 2


def test_a_form_that_was_not_offered_is_asked_for_again(wire: Wire) -> None:
    wire.stub.play(wire.choose({"to": "mallory@evil.example"}, form="send_mail"), wire.choose(NAME))

    assert wire.evaluate().value.kind == "GOAL_ACHIEVED"
    assert len(wire.stub.asked) == 2


def test_a_draft_cannot_be_had_from_an_evaluation(wire: Wire) -> None:
    wire.stub.play_always(
        lambda _: wire.choose({"kind": "DRAFT", "subject": "Hi", "body": "Hi"}, "answer_drafted_mail")
    )

    assert isinstance(wire.fail(), AgentUnusable)


def test_a_refusal_of_the_model_goes_to_a_human_and_is_not_asked_for_again(wire: Wire) -> None:
    wire.stub.play_always(lambda _: refuse(wire.dialect))

    error = wire.fail()

    assert isinstance(error, AgentUnusable)
    assert error.audit is not None
    assert (len(wire.stub.asked), error.audit.tokens_in) == (1, 1000)


def test_a_conversation_that_the_providers_filter_refuses_goes_to_a_human(wire: Wire) -> None:
    wire.stub.play(fail(400, {"message": "filtered", "type": "invalid_request_error", "code": "content_filter"}))

    error = wire.fail()

    assert isinstance(error, AgentUnusable) == (wire.dialect == "openai")


@pytest.mark.parametrize("is_begun", [False, True])
def test_an_answer_longer_than_its_cap_goes_to_a_human(wire: Wire, is_begun: bool) -> None:
    too_long = cut_off(wire.dialect, "answer_goal_achieved") if is_begun else speak(wire.dialect, "", is_cut=True)
    wire.stub.play_always(lambda _: too_long)

    error = wire.fail()

    assert isinstance(error, AgentUnusable)
    assert error.audit is not None
    assert error.audit.tokens_out == 50 * len(wire.stub.asked) <= 150


def test_a_conversation_over_the_cap_of_a_call_is_held_and_never_sent(wire: Wire) -> None:
    error = wire.fail(max_tokens=2000)

    assert isinstance(error, AgentOverBudget)
    assert error.reason.startswith("The conversation needs about ")
    assert error.reason.endswith("tokens, and OFFLOAD_MODEL_MAX_CALL_TOKENS is 2,000. Raise it, or cancel the case.")
    assert wire.stub.asked == []


def test_re_asks_end_at_the_cost_cap_of_a_call(wire: Wire) -> None:
    wire.stub.play_always(lambda _: wire.choose(WRONG_NAME))

    error = wire.fail(max_cost_usd=Decimal("0.003"))

    assert isinstance(error, AgentUnusable)
    assert len(wire.stub.asked) == {"openai": 2, "anthropic": 1}[wire.dialect]


@pytest.mark.parametrize("name", ["openai-chat:gpt-5", "openai-chat:o4-mini", "anthropic:claude-opus-4-8"])
def test_a_model_that_reasons_is_asked_without_a_temperature_and_without_a_warning(stub: ModelStub, name: str) -> None:
    dialect = "anthropic" if name.startswith("anthropic") else "openai"
    stub.play(choose(dialect, "answer_input_needed", {"kind": "INPUT_NEEDED", "question": "May we?"}))  # type: ignore[arg-type]
    client = ProviderClient(ModelChoice(name, "k", stub.get_base_url(dialect)), CallLimits(10, 1000))  # type: ignore[arg-type]

    PromptedAgent(client).evaluate(make_view())

    assert "temperature" not in stub.asked[0].body


def test_an_openai_compatible_server_of_ones_own_needs_no_key(stub: ModelStub) -> None:
    stub.play(choose("openai", "answer_input_needed", {"kind": "INPUT_NEEDED", "question": "May we?"}))
    client = ProviderClient(ModelChoice("ollama:llama3.3", "", f"{stub.url}/v1"), CallLimits(10, 1000))

    outcome = PromptedAgent(client).evaluate(make_view())

    assert isinstance(outcome.value, InputNeeded)
    # Nobody knows the price of it: unknown is not free.
    assert (outcome.audit.tokens_in, outcome.audit.cost_usd) == (1000, None)


def test_a_page_of_html_instead_of_an_answer_is_a_fault_that_passes(wire: Wire) -> None:
    wire.stub.play(send(200, b"<html>Bad gateway</html>", "text/html"))

    error = wire.fail()

    assert isinstance(error, AgentTemporary)
    assert error.reason.startswith(f"{wire.choice().name} did not answer (")


def test_an_outreach_is_written_in_its_own_form(wire: Wire) -> None:
    drafted = {"kind": "DRAFT", "subject": "Signed W-9", "body": "Hi Maya,\n\ncould you send it?\n\nAlex Kim"}
    wire.stub.play(wire.choose(drafted, "answer_drafted_mail"))

    outcome = PromptedAgent(wire.client()).draft_outreach(build_view())

    assert outcome.value.to_json()["subject"] == "Signed W-9"  # type: ignore[union-attr]
    assert sorted(wire.stub.asked[0].list_tools()) == ["answer_drafted_mail", "answer_input_needed"]


def test_a_draft_that_tells_something_private_is_asked_for_again_without_naming_it(wire: Wire) -> None:
    leaking = {"kind": "DRAFT", "subject": "Offer", "body": "Hi Maya,\n\nwe can pay up to 3200.\n\nAlex Kim"}
    clean = {**leaking, "body": "Hi Maya,\n\ncould you send the W-9?\n\nAlex Kim"}
    wire.stub.play(wire.choose(leaking, "answer_drafted_mail"), wire.choose(clean, "answer_drafted_mail"))

    outcome = PromptedAgent(wire.client()).draft_outreach(build_view())

    assert outcome.audit.guard_hits == ("guard private: something of the private knowledge",)
    told = wire.stub.asked[1].find_texts()[-1]
    assert "something of the private knowledge" in told
    assert "3200" not in told


@pytest.mark.parametrize(
    ("name", "shown"), [("x" * 5000, "x" * 200), ("own\x00model", "own\ufffdmodel"), ("\ud800", "\ufffd")]
)
def test_the_name_that_a_server_gives_its_model_fits_into_the_database(wire: Wire, name: str, shown: str) -> None:
    wire.stub.play(change_answer(wire, model=name))

    assert wire.evaluate().audit.model_answered == shown


def test_the_tokens_that_a_server_claims_fit_into_the_database(wire: Wire) -> None:
    many = 10**12
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens")
    wire.stub.play(change_answer(wire, usage=dict.fromkeys(names, many)))

    audit = wire.evaluate().audit

    assert (audit.tokens_in, audit.tokens_out, audit.cost_usd) == (10**9, 10**9, Decimal(499_999))


@pytest.mark.parametrize("change", [{"subject": "  "}, {"rationale": "a\x00b"}])
def test_a_draft_that_cannot_be_stored_or_sent_is_asked_for_again(wire: Wire, change: dict[str, str]) -> None:
    drafted = {"kind": "DRAFT", "subject": "Signed W-9", "body": "Hi Maya,\n\ncould you send it?\n\nAlex Kim"}
    wire.stub.play(*(wire.choose(answer, "answer_drafted_mail") for answer in ({**drafted, **change}, drafted)))

    outcome = PromptedAgent(wire.client()).draft_outreach(build_view())

    assert outcome.value.to_json()["subject"] == "Signed W-9"  # type: ignore[union-attr]
    assert len(wire.stub.asked) == 2


def change_answer(wire: Wire, **changes: Any) -> Answer:
    """The model's valid answer with members that a server of another kind would write."""
    if wire.dialect == "openai":
        call = {"id": "c", "type": "function", "function": {"name": FORM, "arguments": json.dumps(NAME)}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        answer: dict[str, Any] = {"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4.1"}
        answer |= {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]}
    else:
        content = [{"type": "tool_use", "id": "t", "name": FORM, "input": NAME}]
        answer = {"id": "1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": content}
        answer |= {"stop_reason": "tool_use", "usage": {"input_tokens": 10, "output_tokens": 5}}
    return send(200, json.dumps(answer | changes).encode())
