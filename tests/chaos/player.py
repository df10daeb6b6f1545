"""One case's client and counterparty, who ask again until they are answered; must not judge what comes of it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, TypeVar

from tests.chaos.world import Mail, Seen, World, make_address

TIMEOUT_S = 30
PAUSE_S = 0.5

T = TypeVar("T")


class Astray(Exception):
    """The case took a way that its story does not know."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Status 0: nobody knows whether the request was heard."""

    status: int
    body: dict[str, Any]
    is_replay: bool = False

    @property
    def is_certain(self) -> bool:
        """A refusal to work (409 in progress, 429, 5xx) or no answer at all is asked again."""
        return 0 < self.status < 500 and self.status != 429 and self.code != "IDEMPOTENCY_KEY_IN_PROGRESS"

    @property
    def code(self) -> str:
        error = self.body.get("error")
        return str(error.get("code", "")) if isinstance(error, dict) else ""

    def __str__(self) -> str:
        return f"{self.status} {json.dumps(self.body)[:300]}"


def call(url: str, body: Any = None, *, method: str = "", headers: dict[str, str] | None = None) -> Answer:
    """Makes one request and returns its answer; raises nothing because of the network or the other side."""
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        method=method or ("GET" if body is None else "POST"),
        headers={"content-type": "application/json", "accept": "application/json", **(headers or {})},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return Answer(answer.status, _read(answer.read()), answer.headers.get("Idempotency-Replayed") == "true")
    except urllib.error.HTTPError as error:
        try:
            return Answer(error.code, _read(error.read()))
        except (OSError, HTTPException):
            return Answer(0, {})
    except (OSError, HTTPException):
        return Answer(0, {})


def _read(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


@dataclass(frozen=True, slots=True)
class GivenInput:
    """An answer to a question of the agent's that POST /cases/{id}/input acknowledged."""

    input_request_id: str
    text: str


@dataclass
class Player:
    """`steps` is what was done so far, for whoever has to read what went wrong."""

    reference: str
    world: World
    api: str
    api_key: str
    sandbox: str
    receiver: str
    case_id: str = ""
    inputs: list[GivenInput] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    # -- The client

    def open(self, **changes: Any) -> None:
        """Opens the case and keeps its id; repeated under one key until the answer is known.

        A second call is a client that did not trust the first answer: it must get the same one again.
        """
        body = {
            "channel": "EMAIL",
            "goal": {"objective": "Collect a signed W-9 from Maya at Northstar"},
            "counterparty": {"name": "Maya Lindqvist", "address": make_address(self.reference)},
            "senderPersona": {"name": "Ana Reyes", "role": "Accounts Payable", "company": "Acme"},
            "resultSchema": {
                "type": "object",
                "properties": {"legalName": {"type": "string"}, "taxId": {"type": "string"}},
                "required": ["legalName", "taxId"],
            },
            "clientReferenceId": self.reference,
            "clientWebhookUrl": self.receiver,
        } | changes
        answer = self._insist("/cases", body, f"open-{self.reference}")
        if answer.status != 201:
            raise Astray(f"POST /cases was answered {answer}")
        case_id = answer.body["data"]["caseId"]
        if self.case_id and (case_id, answer.is_replay) != (self.case_id, True):
            raise Astray(f"POST /cases was repeated for {self.case_id} and answered {answer}")
        self.case_id = case_id

    def wait_for_question(self) -> str:
        """Returns the id of the question that the case puts to a human."""
        return self.wait("a question", lambda seen: seen.open_question_id or None)

    def answer_question(self, text: str) -> str:
        """Answers the next question and returns its id; raises Astray when the answer is not taken."""
        question_id = self.wait_for_question()
        if not self.give_input(question_id, text):
            raise Astray(f"the answer to the open question {question_id} was refused")
        return question_id

    def give_input(self, question_id: str, text: str) -> bool:
        """Sends one answer; returns whether it was taken (202) or came too late (409)."""
        body = {"inputRequestId": question_id, "providedContext": text}
        answer = self._insist(f"/cases/{self.case_id}/input", body, f"input-{self.reference}-{question_id}")
        if answer.status == 202 and GivenInput(question_id, text) not in self.inputs:
            self.inputs.append(GivenInput(question_id, text))
        elif answer.status not in (202, 409):
            raise Astray(f"POST /input was answered {answer}")
        return answer.status == 202

    def cancel(self) -> bool:
        """Cancels the case; returns whether it took effect (202) or the case had ended otherwise (409)."""
        answer = self._insist(f"/cases/{self.case_id}/cancel", {}, "")
        if answer.status == 202 or answer.code == "CASE_ALREADY_FINISHED":
            return answer.status == 202
        raise Astray(f"POST /cancel was answered {answer}")

    def _insist(self, path: str, body: Any, key: str) -> Answer:
        """Repeats a request until its answer is certain."""
        headers = {"x-api-key": self.api_key, **({"Idempotency-Key": key} if key else {})}
        tries = 0
        while not self.world.is_over.is_set():
            tries += 1
            answer = call(f"{self.api}{path}", body, headers=headers)
            if answer.is_certain:
                self.steps.append(f"POST {path}: {answer.status}, try {tries}{', replayed' * answer.is_replay}")
                return answer
            time.sleep(PAUSE_S)
        raise Astray(f"POST {path} had no certain answer in {tries} tries")

    # -- The counterparty and the provider

    def wait_for_mail(self, count: int = 1) -> Mail:
        """Returns the newest mail once the provider has accepted `count` of them."""
        return self.wait(f"mail {count}", lambda seen: seen.mails[count - 1] if len(seen.mails) >= count else None)

    def reply(self, text: str, **values: Any) -> None:
        """Writes in the newest mail's thread, once however often the request is made."""
        thread_id = self.wait("a mail to answer", lambda seen: seen.mails[-1].thread_id if seen.mails else None)
        message_id = f"<{self.reference}-{len(self.replies) + 1}@counterparty.example>"
        self.replies.append(message_id)
        body = {"thread_id": thread_id, "text": text, "message_id": message_id, **values}
        self._tell("/inbound", body, done_already="is already the id")

    def report(self, kind: str) -> None:
        """Lets the provider report a bounce, complaint or rejection of the newest mail; it may do so twice."""
        mail = self.wait("a mail to report", lambda seen: seen.mails[-1] if seen.mails else None)
        self._tell(f"/{kind}", {"message_id": mail.message_id})

    def block_address(self) -> None:
        """Puts the counterparty on the provider's block list before anything is sent."""
        self._tell("/blocked", {"address": make_address(self.reference)})

    def advance(self, hours: float) -> None:
        """Lets so many hours pass for the case. Not a repeatable request: what it did is read before each try."""
        wanted = self._read_hours() + hours
        while not self.world.is_over.is_set() and (missing := wanted - self._read_hours()) > 0.001:
            answer = call(f"{self.sandbox}/advance", {"hours": missing, "caseId": self.case_id})
            self.steps.append(f"advance {missing:.1f} h: {answer.status}")
            if 400 <= answer.status < 500:
                raise Astray(f"/advance was answered {answer}")
            if answer.status != 200:
                time.sleep(PAUSE_S)

    def _read_hours(self) -> float:
        sql = "SELECT extract(epoch FROM clock_offset) / 3600 AS hours FROM cases_case WHERE id = %s"
        return float(self.world.query(sql, self.case_id)[0]["hours"])

    def _tell(self, path: str, body: Any, done_already: str = "") -> None:
        while not self.world.is_over.is_set():
            answer = call(f"{self.sandbox}{path}", body)
            self.steps.append(f"sandbox {path}: {answer.status}")
            if answer.status == 200 or (done_already and done_already in json.dumps(answer.body)):
                return
            if 400 <= answer.status < 500:
                raise Astray(f"the sandbox answered {path} with {answer}")
            time.sleep(PAUSE_S)

    # -- Watching

    def wait(self, what: str, find: Callable[[Seen], T | None]) -> T:
        """Returns what `find` makes of the case; raises Astray when the case ends first, GivenUp with the run."""

        def find_or_fail(seen: Seen) -> T | None:
            found = find(seen)
            if found is None and seen.has_ended:
                raise Astray(f"waited for {what}, but the case is {seen}")
            return found

        self.steps.append(f"wait for {what}")
        return self.world.wait(self.reference, find_or_fail)

    def wait_until_rested(self, attempt_count: int, next_action: str = "follow_up") -> None:
        """Waits until the case runs, has sent so many mails and has nothing left to do for now."""

        def is_at_rest(seen: Seen) -> bool | None:
            has_arrived = seen.status == "RUNNING" and seen.attempt_count == attempt_count
            return True if has_arrived and seen.next_action == next_action and not seen.open_events else None

        self.wait(f"RUNNING after {attempt_count} mails, then {next_action}", is_at_rest)

    def wait_for_handled_replies(self, count: int) -> None:
        self.wait(
            f"{count} replies to be handled",
            lambda seen: True if seen.replies_handled >= count and not seen.open_events else None,
        )

    def wait_for_end(self) -> None:
        self.steps.append("wait for the end")
        self.world.wait(self.reference, lambda seen: True if seen.has_ended and not seen.open_events else None)
