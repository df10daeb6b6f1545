"""What fails between us and a model, and what each failure means for the ledger: later, our settings, a human."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from cases.agent.answers import JUDGING
from cases.agent.prompted import ModelCall, PromptedAgent
from cases.agent.prompting import compose_prompt
from cases.agent.protocol import AgentError, AgentMisconfigured, AgentTemporary, AgentUnusable
from cases.agent.provider.client import CallLimits, ProviderClient
from cases.agent.provider.models import ModelChoice
from tests.cases.agent.wire.conftest import NAME, WRONG_NAME, Wire, dollars, make_view
from tests.cases.agent.wire.stub import ModelStub, cut, fail, hang, send, trickle

# Far below what a server could be waited for, far above what a busy machine loses.
DEADLINE_S = 0.5
IN_TIME_S = 4.0


def test_a_limit_is_told_with_its_wait_and_asked_once(wire: Wire) -> None:
    wire.stub.play(fail(429, {"type": "rate_limit_error", "message": "slow down"}, retry_after="17"))

    error = wire.fail()

    assert isinstance(error, AgentTemporary)
    assert (error.retry_after_s, len(wire.stub.asked)) == (17.0, 1)


def test_a_limit_without_a_wait_leaves_the_wait_to_the_ledger(wire: Wire) -> None:
    wire.stub.play(fail(429, {"type": "rate_limit_error", "message": "slow down"}))

    error = wire.fail()

    assert isinstance(error, AgentTemporary)
    assert error.retry_after_s is None


@pytest.mark.parametrize(("status", "kind"), [(500, "api_error"), (503, "overloaded_error"), (529, "overloaded_error")])
def test_an_outage_is_tried_again_later_and_asked_once(wire: Wire, status: int, kind: str) -> None:
    wire.stub.play(fail(status, {"type": kind, "message": "no"}))

    assert isinstance(wire.fail(), AgentTemporary)
    assert len(wire.stub.asked) == 1


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, {"type": "authentication_error", "message": "no"}, "refused the key. Check OFFLOAD_MODEL_API_KEY."),
        (403, {"type": "permission_error", "message": "no"}, "refused the key. Check OFFLOAD_MODEL_API_KEY."),
        (404, {"type": "not_found_error", "message": "no"}, "Check OFFLOAD_MODEL and OFFLOAD_MODEL_BASE_URL."),
        (400, {"type": "invalid_request_error", "message": "no"}, "rejected the request"),
    ],
)
def test_wrong_settings_hold_the_event_and_name_the_setting(
    wire: Wire, status: int, error: dict[str, Any], words: str
) -> None:
    wire.stub.play(fail(status, error))

    caught = wire.fail()

    assert isinstance(caught, AgentMisconfigured)
    assert words in caught.reason
    assert len(wire.stub.asked) == 1


def test_an_account_that_is_used_up_is_for_the_operator(wire: Wire) -> None:
    code = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "You exceeded your current quota"}
    credit = {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API."}
    wire.stub.play(fail(429, code) if wire.dialect == "openai" else fail(400, credit))

    assert isinstance(wire.fail(), AgentMisconfigured)


def test_what_the_provider_says_in_an_error_is_not_repeated(wire: Wire) -> None:
    wire.stub.play(fail(400, {"type": "invalid_request_error", "message": "bad text: We are Northstar LLC."}))

    assert "Northstar" not in wire.fail().reason


def test_silence_ends_at_the_deadline(wire: Wire) -> None:
    wire.stub.play(hang(wire.stub))
    started = time.monotonic()

    error = wire.fail(deadline_s=DEADLINE_S)

    assert isinstance(error, AgentTemporary)
    assert DEADLINE_S <= time.monotonic() - started < IN_TIME_S


def test_an_answer_that_trickles_ends_at_the_deadline_too(wire: Wire) -> None:
    wire.stub.play(trickle(wire.stub))
    started = time.monotonic()

    assert isinstance(wire.fail(deadline_s=DEADLINE_S), AgentTemporary)
    assert time.monotonic() - started < IN_TIME_S


def test_the_deadline_is_for_all_tries_together_and_what_they_took_is_counted(wire: Wire) -> None:
    wire.stub.play(wire.choose(WRONG_NAME), hang(wire.stub))
    started = time.monotonic()

    error = wire.fail(deadline_s=1.0)

    assert isinstance(error, AgentTemporary)
    assert time.monotonic() - started < IN_TIME_S
    assert error.audit is not None
    assert (error.audit.tokens_in, error.audit.cost_usd) == (1000, dollars(wire.dialect, 1))


def test_a_connection_that_is_cut_is_tried_again_later(wire: Wire) -> None:
    wire.stub.play(cut())

    assert isinstance(wire.fail(), AgentTemporary)
    assert len(wire.stub.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"1", b"{}", b"<html>", b"\xff{"),
        *(b'{"choices": [null]}', b'{"content": [null], "usage": null}', b'{"content": [{"type": "x"}], "usage": {}}'),
        b"[" * 50_000,
    ],
)
def test_a_body_of_another_form_is_tried_again_later(wire: Wire, body: bytes) -> None:
    wire.stub.play(send(200, body))

    error = wire.fail()

    assert isinstance(error, AgentTemporary)
    assert "did not answer" in error.reason


def test_a_check_of_ours_that_breaks_is_no_fault_of_the_model(wire: Wire) -> None:
    def check(_answer: object) -> list[str]:
        raise ZeroDivisionError

    wire.stub.play(wire.choose(NAME))
    call = ModelCall(compose_prompt("evaluate", make_view(), "boundary"), JUDGING, check)

    with pytest.raises(ZeroDivisionError):
        wire.client().ask(call)


def test_a_connection_that_is_refused_is_tried_again_later(wire: Wire) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        choice = ModelChoice(wire.choice().name, "k", f"http://127.0.0.1:{port}/v1")

        with pytest.raises(AgentTemporary):
            PromptedAgent(ProviderClient(choice, CallLimits(10, 1000))).evaluate(make_view())


@pytest.mark.parametrize(
    "choice",
    [
        ModelChoice("gpt-5", "k"),
        ModelChoice("nobody:gpt-5", "k"),
        ModelChoice("anthropic:claude-sonnet-4-6"),
        ModelChoice("openai-chat:gpt-4.1", "k", "no url"),
    ],
)
def test_a_model_that_cannot_be_built_holds_the_event(choice: ModelChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    with pytest.raises((AgentMisconfigured, AgentTemporary)) as caught:
        PromptedAgent(ProviderClient(choice, CallLimits(DEADLINE_S, 1000))).evaluate(make_view())

    assert "OFFLOAD_MODEL" in caught.value.reason or choice.base_url


def test_the_fallback_answers_where_the_first_model_cannot(wire: Wire, second_stub: ModelStub) -> None:
    wire.stub.play(wire.choose(WRONG_NAME), fail(503))
    second_stub.play(wire.choose(NAME))

    outcome = wire.evaluate(fallback=second_stub)

    assert outcome.value.kind == "GOAL_ACHIEVED"
    assert (len(wire.stub.asked), len(second_stub.asked)) == (2, 1)
    # The first model's answer was paid for too.
    assert (outcome.audit.tokens_in, outcome.audit.cost_usd) == (2000, dollars(wire.dialect, 2))


def test_the_fallback_answers_where_the_first_model_is_silent(wire: Wire, second_stub: ModelStub) -> None:
    wire.stub.play(hang(wire.stub))
    second_stub.play(wire.choose(NAME))

    assert wire.evaluate(fallback=second_stub, deadline_s=2.0).value.kind == "GOAL_ACHIEVED"


@pytest.mark.parametrize("is_usable", [True, False])
def test_the_fallback_is_not_asked_where_the_first_model_answered(
    wire: Wire, second_stub: ModelStub, is_usable: bool
) -> None:
    wire.stub.play_always(lambda _: wire.choose(NAME if is_usable else WRONG_NAME))

    if is_usable:
        wire.evaluate(fallback=second_stub)
    else:
        assert isinstance(wire.fail(fallback=second_stub), AgentUnusable)

    assert second_stub.asked == []


def test_when_both_models_fail_the_last_word_is_the_fallbacks_with_the_cost_of_both(
    wire: Wire, second_stub: ModelStub
) -> None:
    wire.stub.play(wire.choose(WRONG_NAME), fail(503))
    second_stub.play(wire.choose(WRONG_NAME), fail(429, {"type": "rate_limit_error"}, retry_after="5"))

    error: AgentError = wire.fail(fallback=second_stub)

    assert isinstance(error, AgentTemporary)
    assert error.retry_after_s == 5.0
    assert error.audit is not None
    assert (error.audit.tokens_in, error.audit.cost_usd) == (2000, dollars(wire.dialect, 2))
