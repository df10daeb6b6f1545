"""A worker's surroundings for tests: a scripted agent, a scripted provider over HTTP, a clock that is set by hand."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from agentmail.client import AgentMailClient
from agentmail.inbound import parse_event
from agentmail.matching import StoredEvent, store_event
from cases import services
from cases.agent.decisions import Decision, Evidence, FailedRejected, GoalAchieved, InputNeeded
from cases.agent.protocol import CaseView, Draft, Outcome, RunAudit
from cases.handlers.tools import Tools
from cases.handlers.work import work_on_case
from cases.models import Case, CaseEvent, Client
from cases.services import NewCase
from tests.agentmail.provider import Provider, Received, say
from webhooks.models import Delivery

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
INBOX = "agent@offload.example"
MAYA = "maya@northstar.example"
AUDIT = RunAudit("scripted", "", "", "1", "", 0, 0, None, 0, (), (), ())

_numbers = itertools.count(1)

Script = Draft | InputNeeded | Decision | Exception | Callable[[], Draft | InputNeeded | Decision]


class ScriptedAgent:
    """Answers what a test scripts, in order, and keeps what it was shown."""

    def __init__(self) -> None:
        self.views: list[CaseView] = []
        self._script: deque[Script] = deque()

    def will(self, *answers: Script) -> None:
        self._script.extend(answers)

    def _answer(self, view: CaseView) -> Outcome[Any]:
        self.views.append(view)
        scripted = self._script.popleft()
        if isinstance(scripted, Exception):
            raise scripted
        value = scripted() if callable(scripted) else scripted
        return Outcome(_cite(value, view) if isinstance(value, GoalAchieved | FailedRejected) else value, AUDIT)

    draft_outreach = draft_follow_up = evaluate = _answer


def _cite(verdict: GoalAchieved | FailedRejected, view: CaseView) -> GoalAchieved | FailedRejected:
    """Names the last word that was heard as the source of a scripted verdict that names none."""
    heard = [(message.message_id, message.text) for message in view.thread if message.sender != "us"]
    heard += [(f"human:{number}", given.answer) for number, given in enumerate(view.human_answers, start=1)]
    if verdict.evidence or not heard:
        return verdict
    names = list(verdict.result) if isinstance(verdict, GoalAchieved) else [""]
    evidence = tuple(Evidence(field=name, message_id=heard[-1][0], quote=heard[-1][1]) for name in names)
    return verdict.model_copy(update={"evidence": evidence})


@dataclass
class Desk:
    """One worker at one case."""

    case: Case
    agent: ScriptedAgent
    provider: Provider
    clock: list[datetime]
    tools: Tools

    def work(self) -> int:
        return work_on_case(self.case.id, "test", self.tools)

    def read(self) -> Case:
        return Case.objects.get(pk=self.case.pk)

    def event(self, kind: str) -> CaseEvent:
        return self.case.events.filter(kind=kind).latest("id")

    def sends(self) -> list[Received]:
        return [request for request in self.provider.received if request.method == "POST"]

    def deliveries(self) -> list[dict[str, Any]]:
        bodies = [json.loads(delivery.body) for delivery in Delivery.objects.filter(owner=self.case.id)]
        return sorted(bodies, key=lambda body: int(body["timestamp"]))

    def pass_time(self, **span: float) -> None:
        """Moves the case's clock, and lets what waits in the ledger be due."""
        self.clock[0] += timedelta(**span)
        CaseEvent.objects.filter(status="ready").update(run_after=NOW)

    def send_outreach(self, thread_id: str = "thread-1") -> str:
        """Brings the case to RUNNING; returns the message id of the outreach."""
        message_id = f"<out-{next(_numbers)}@offload.example>"
        self.agent.will(DRAFT)
        self.provider.play(accept(message_id, thread_id))
        self.work()
        return message_id

    def receive(self, text: str, **values: Any) -> StoredEvent:
        """A second passes, and the webhook reports a mail from Maya in the thread; `values` change the message."""
        number = next(_numbers)
        self.clock[0] += timedelta(seconds=1)
        message = {
            "inbox_id": INBOX,
            "thread_id": "thread-1",
            "message_id": f"<in-{number}@northstar.example>",
            "from": f"Maya Lindqvist <{MAYA}>",
            "to": [INBOX],
            "subject": "Re: Signed W-9",
            "text": text,
            "labels": ["received"],
            "timestamp": self.clock[0].isoformat(),
            "attachments": [],
            "headers": {},
        } | values
        event_type = values.get("event_type", "message.received")
        message.pop("event_type", None)
        event = {"type": "event", "event_type": event_type, "event_id": f"evt-{number}", "message": message}
        return self._store(event, number)

    def report(self, event_type: str, message_id: str, **values: Any) -> StoredEvent:
        """The provider's webhook reports what became of a mail of ours."""
        number = next(_numbers)
        name = {"message.bounced": "bounce", "message.complained": "complaint", "message.rejected": "reject"}[
            event_type
        ]
        content = {
            "inbox_id": INBOX,
            "thread_id": "thread-1",
            "message_id": message_id,
            "timestamp": self.clock[0].isoformat(),
        } | values
        return self._store(
            {"type": "event", "event_type": event_type, "event_id": f"evt-{number}", name: content}, number
        )

    def _store(self, event: dict[str, Any], number: int) -> StoredEvent:
        with transaction.atomic():
            return store_event(
                parse_event(json.dumps(event).encode(), f"msg_{number}"),
                now=self.clock[0],
                on_reply=services.record_reply,
                on_delivery_failure=services.record_delivery_failure,
            )


DRAFT = Draft("Signed W-9 for Acme", "Hi Maya,\n\ncould you send us the signed W-9?\n\nAna", "The first message.")


def accept(message_id: str, thread_id: str = "thread-1") -> Any:
    """The provider takes the mail."""
    return say(200, {"message_id": message_id, "thread_id": thread_id})


def show_thread(*messages: dict[str, Any]) -> Any:
    """The provider shows the thread."""
    return say(200, {"inbox_id": INBOX, "thread_id": "thread-1", "count": len(messages), "messages": list(messages)})


EMPTY_THREAD = show_thread()


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def new_case() -> NewCase:
    return NewCase(
        objective="Collect a signed W-9 from Maya",
        counterparty_address=MAYA,
        counterparty_name="Maya Lindqvist",
        persona_name="Ana Reyes",
        client_webhook_url="https://app.example/hook",
        client_reference_id="vendor-1042",
        metadata={"row": 7},
    )


@pytest.fixture
def desk(db: None, provider: Provider, new_case: NewCase) -> Desk:
    case = services.open_case(Client.objects.create(name="Acme"), new_case, now=NOW)
    agent, clock = ScriptedAgent(), [NOW]
    tools = Tools(agent=agent, mail=AgentMailClient(provider.url, "am_test"), read_clock=lambda: clock[0])
    return Desk(case, agent, provider, clock, tools)
