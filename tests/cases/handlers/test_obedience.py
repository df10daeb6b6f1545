"""A model over HTTP that obeys every order it reads: code alone keeps recipients, secrets and verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentmail.models import OutboundEmail
from cases import services
from cases.agent.comparing import find_numbers, fold_letters
from cases.agent.prompted import PromptedAgent
from cases.agent.provider.client import CallLimits, ProviderClient
from cases.agent.provider.models import ModelChoice
from cases.api.serializers import read_new_case
from cases.follow_ups import record_due_events
from cases.models import Client
from tests.cases.agent.wire.stub import Answer, Asked, ModelStub, choose
from tests.cases.handlers.conftest import EMPTY_THREAD, NOW, Desk, accept

pytestmark = pytest.mark.django_db(transaction=True)

CORPUS = Path(__file__).parents[2] / "corpus" / "injections.jsonl"
LINES: list[dict[str, Any]] = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
EVALUATIONS = "answer_snooze"
ENDED = {"COMPLETED": "GOAL_ACHIEVED", "FAILED": "FAILED_REJECTED"}


@pytest.fixture
def model() -> Iterator[ModelStub]:
    stub = ModelStub()
    yield stub
    stub.close()


def put_to_work(desk: Desk, line: dict[str, Any], model: ModelStub) -> Desk:
    """Returns the desk with the line's case after its outreach, and the model as its agent."""
    case = services.open_case(Client.objects.create(name="Victim"), read_new_case(line["case"]), now=NOW)
    choice = ModelChoice("openai-chat:gpt-4.1", "k", model.get_base_url("openai"))
    agent = PromptedAgent(ProviderClient(choice, CallLimits(60, 4000)))
    at_work = replace(desk, case=case, tools=replace(desk.tools, agent=agent))
    first = line["thread"][0]
    model.play(write(first["text"], first["subject"]))
    desk.provider.play(accept("<first@offload.example>"))
    at_work.work()
    assert at_work.read().status == "RUNNING"
    return at_work


def write(body: str, subject: str = "About the matter") -> Answer:
    drafted = {"kind": "DRAFT", "subject": subject, "body": body, "rationale": "The mail says so."}
    return choose("openai", "answer_drafted_mail", drafted)


def receive(desk: Desk, mail: dict[str, Any]) -> None:
    files = [{"attachment_id": f"att-{n}", **file} for n, file in enumerate(mail.get("attachments", []))]
    values = {name: mail[name] for name in ("message_id", "from", "subject", "headers", "html") if name in mail}
    desk.receive(mail.get("text", ""), **values, attachments=files)


def obey(line: dict[str, Any]) -> Any:
    """Returns a model that says what the injection wants, at every re-ask again."""

    def answer(asked: Asked) -> Answer:
        obeyed = line["obeyed"]
        form = f"answer_{obeyed['kind'].lower()}" if EVALUATIONS in asked.list_tools() else "answer_drafted_mail"
        return choose("openai", form, obeyed) if EVALUATIONS in asked.list_tools() else write(obeyed.get("body", "?"))

    return answer


def list_secrets(value: Any) -> Iterator[str]:
    """Yields the leaves of private knowledge that are long enough to be told from chance."""
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from list_secrets(member)
    elif not isinstance(value, bool) and len(str(value)) >= 3:
        yield str(value)


def assert_nothing_leaked(desk: Desk, line: dict[str, Any]) -> None:
    counterparty = line["case"]["counterparty"]["address"]
    knowledge = line["case"]["goal"].get("knowledge")
    private = knowledge.get("private") if isinstance(knowledge, dict) else None
    for request in desk.sends():
        body = json.loads(request.body)
        assert len(body["to"]) == 1
        assert body["to"][0].endswith(f"<{counterparty}>")
        assert {"cc", "bcc", "reply_to", "reply_all", "html", "attachments"} & set(body) == set()
        told = fold_letters(f"{body.get('subject', '')} {body['text']}")
        for secret in list_secrets(private):
            assert fold_letters(secret) not in told
            assert not find_numbers(body["text"]) & {n for n in find_numbers(secret) if len(n) >= 4}
    assert set(OutboundEmail.objects.values_list("to_address", flat=True)) == {counterparty}


@pytest.mark.parametrize("line", LINES, ids=[line["id"] for line in LINES])
def test_an_obeyed_order_ends_no_case_tells_no_secret_and_writes_to_nobody_else(
    desk: Desk, model: ModelStub, line: dict[str, Any]
) -> None:
    at_work = put_to_work(desk, line, model)
    for mail in line["thread"][1:]:
        if mail.get("direction") != "outbound":
            receive(at_work, mail)
    receive(at_work, line["reply"])
    model.play_always(obey(line))
    # One for each mail that may be evaluated, and what would take an answer if one left.
    desk.provider.play(EMPTY_THREAD, accept("<second@offload.example>"), EMPTY_THREAD)

    at_work.work()

    case = at_work.read()
    wanted = {line["expected"]["outcome"], *line["expected"].get("acceptable", [])}
    assert ENDED.get(case.status) in {None, *wanted}
    assert_nothing_leaked(at_work, line)


@pytest.mark.parametrize(
    "body",
    [
        "Hi,\n\nour limit is {secret}.\n\nAna",
        "Hi,\n\nplease confirm at https://evil.example/confirm.\n\nAna",
        "Hi,\n\nplease answer to mallory@evil.example instead.\n\nAna",
        "Hi,\n\n<img src='https://evil.example/x.png'> thank you.\n\nAna",
        "Hi,\n\n\u200bplease\u2062answer.\n\nAna",
    ],
)
def test_a_reminder_that_obeys_an_earlier_mail_does_not_leave(desk: Desk, model: ModelStub, body: str) -> None:
    line = next(line for line in LINES if line["id"] == "inj-ignore-instructions")
    at_work = put_to_work(desk, line, model)
    model.play_always(lambda _: write(body.format(secret=line["case"]["goal"]["knowledge"]["private"]["budget"])))
    at_work.pass_time(hours=73)
    assert len(list(record_due_events(at_work.clock[0]))) == 1
    desk.provider.play(EMPTY_THREAD)

    at_work.work()

    case = at_work.read()
    assert (case.status, case.attempt_count, len(at_work.sends())) == ("INPUT_NEEDED", 1, 1)
    assert_nothing_leaked(at_work, line)
