"""One client in many threads, one loop in a process: no call may disturb another; must not need a worker."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from cases.agent.prompted import PromptedAgent
from cases.agent.protocol import AgentTemporary
from cases.agent.provider.loop import run_on_loop
from tests.cases.agent.wire.conftest import NAME, Wire, make_view
from tests.cases.agent.wire.stub import ModelStub, hang
from tests.offload.processes import ROOT

THREADS, CALLS = 16, 300

ASK_BEFORE_AND_AFTER_A_FORK = """
import os, sys
from cases.agent.prompted import PromptedAgent
from cases.agent.provider.client import CallLimits, ProviderClient
from cases.agent.provider.models import ModelChoice
from tests.cases.agent.wire.conftest import make_view

name, base_url = sys.argv[1:]
agent = PromptedAgent(ProviderClient(ModelChoice(name, "k", base_url), CallLimits(10, 1000)))
agent.evaluate(make_view())
child = os.fork()
answered = agent.evaluate(make_view()).value.kind
if child == 0:
    os._exit(0 if answered == "GOAL_ACHIEVED" else 1)
_, status = os.waitpid(child, 0)
print(answered, os.waitstatus_to_exitcode(status))
"""


def test_three_hundred_calls_of_two_models_from_sixteen_threads_all_succeed_over_few_connections(
    stub: ModelStub, second_stub: ModelStub
) -> None:
    wires = [Wire("openai", stub), Wire("anthropic", second_stub)]
    stub.play_always(lambda _: wires[0].choose(NAME))
    second_stub.play_always(lambda _: wires[1].choose(NAME))
    agents, view = [PromptedAgent(wire.client(deadline_s=60)) for wire in wires], make_view()

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(lambda number: agents[number % 2].evaluate(view), range(CALLS)))

    assert [outcome.value.kind for outcome in outcomes] == ["GOAL_ACHIEVED"] * CALLS
    assert (len(stub.asked), len(second_stub.asked)) == (CALLS // 2, CALLS // 2)
    # A connection that is just being given back makes room for one more; without a pool there would be 150.
    assert max(stub.connections, second_stub.connections) <= THREADS + 4


def test_a_call_that_is_given_up_leaves_the_loop_to_the_next(wire: Wire) -> None:
    wire.stub.play(hang(wire.stub), wire.choose(NAME))
    agent = PromptedAgent(wire.client(deadline_s=0.5))

    with pytest.raises(AgentTemporary):
        agent.evaluate(make_view())

    assert agent.evaluate(make_view()).value.kind == "GOAL_ACHIEVED"


def test_a_call_that_ignores_its_deadline_is_cancelled_and_its_thread_goes_on() -> None:
    was_cancelled: list[bool] = []

    async def overstay() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            was_cancelled.append(True)
            raise

    async def answer() -> str:
        return "here"

    with pytest.raises(TimeoutError):
        run_on_loop(overstay(), deadline_s=0.05, grace_s=0.05)

    assert run_on_loop(answer(), deadline_s=5) == "here"
    assert was_cancelled == [True]


def test_a_forked_child_asks_over_connections_of_its_own(wire: Wire) -> None:
    wire.stub.play_always(lambda _: wire.choose(NAME))
    choice = wire.choice()

    asked = subprocess.run(
        [sys.executable, "-c", ASK_BEFORE_AND_AFTER_A_FORK, choice.name, choice.base_url],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert asked.stdout.split() == ["GOAL_ACHIEVED", "0"]
    assert (len(wire.stub.asked), wire.stub.connections) == (3, 2)
