"""A running local stack as the demo uses it, and a terminal to show it on; goes through HTTP like any client."""

from __future__ import annotations

import base64
import json
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from django.core.management.base import CommandError, OutputWrapper
from django.core.management.color import Style

T = TypeVar("T")

STEP_SECONDS = 60
W9_CASE: dict[str, Any] = {
    "channel": "EMAIL",
    "clientReferenceId": "vendor-1042",
    "goal": {
        "objective": "Collect a signed W-9 from Maya at Northstar",
        "knowledge": {"Why": "We can release invoice 1042 once the form is on file.", "Deadline": "Friday"},
    },
    "counterparty": {"name": "Maya Lindqvist", "address": "maya@northstar.example", "company": "Northstar"},
    "senderPersona": {"name": "Ana Reyes", "role": "Accounts Payable", "company": "Acme"},
    "resultSchema": {
        "type": "object",
        "properties": {
            "legalName": {"type": "string", "title": "Legal name", "description": "as on the form"},
            "taxId": {"type": "string", "title": "Tax ID"},
        },
        "required": ["legalName", "taxId"],
    },
}


class Stack:
    """The running local stack, as `var/dev.json` describes it."""

    def __init__(self, description: dict[str, Any]) -> None:
        self.api: str = description["api"].rstrip("/")
        self.sandbox: str = description["sandbox"].rstrip("/")
        self.receiver: str = description["webhook_receiver"]
        self.key: str = description["api_key"]

    @classmethod
    def read(cls, path: Path) -> Stack:
        """Returns the stack that the file describes. Raises CommandError when it is not there or has no sandbox."""
        try:
            description = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            raise CommandError(f"{path} is not there. Start the local stack with ./dev up, then try again.") from None
        if not description.get("sandbox"):
            raise CommandError(
                "this stack sends real mail. The demo plays against the sandbox: unset AGENTMAIL_API_KEY."
            )
        return cls(description)

    def call(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        """Returns the JSON answer of one request. Raises CommandError with what the server said."""
        headers = {"content-type": "application/json", "accept": "application/json", "x-api-key": self.key}
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data=data, method=method, headers=headers)  # noqa: S310 -- our own local stack
        try:
            with urlopen(request, timeout=15) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            raise CommandError(f"{method} {url} answered {error.code}: {error.read(2000).decode()}") from None
        except (URLError, TimeoutError) as error:
            raise CommandError(f"{method} {url} did not answer ({error}). Is ./dev up running?") from None


class Stage:
    """One case on the stack, shown step by step."""

    def __init__(self, stack: Stack, out: OutputWrapper, style: Style) -> None:
        self.stack, self._out, self._style = stack, out, style
        self.case_id = ""
        self._step = 0

    # -- Showing

    def announce(self, text: str) -> None:
        self._step += 1
        self._out.write("\n" + self._style.MIGRATE_HEADING(f"{self._step}. {text}"))

    def say(self, text: str) -> None:
        self._out.write(textwrap.indent(text, "   "))

    def say_state(self, case: dict[str, Any]) -> None:
        self.say(f"status {case['status']}, attemptCount {case['attemptCount']}")

    def show_mail(self, mail: dict[str, Any]) -> None:
        self.say(f"To: {', '.join(mail['to'])}\nSubject: {mail['subject']}\n\n{mail['text']}\n")

    def close(self, text: str) -> None:
        self._out.write("\n" + self._style.SUCCESS(text))

    # -- Acting

    def open_case(self, **changes: Any) -> None:
        body = W9_CASE | {"clientWebhookUrl": self.stack.receiver} | changes
        answer = self.stack.call("POST", f"{self.stack.api}/cases", body)["data"]
        self.case_id = answer["caseId"]
        self.say(f"caseId {self.case_id}, status {answer['status']}")

    def reply(self, thread_id: str, text: str, *, file: str = "", **values: Any) -> None:
        """Plays a mail from the counterparty."""
        self.say(text)
        body = {"thread_id": thread_id, "text": text} | values
        if file:
            content = base64.b64encode(b"%PDF-1.4\n% a signed W-9\n%%EOF\n").decode()
            body["attachments"] = [{"filename": file, "content_type": "application/pdf", "content": content}]
            self.say(f"(attached: {file})")
        self.stack.call("POST", f"{self.stack.sandbox}/inbound", body)

    def advance(self, hours: float) -> None:
        """Lets so many hours pass for this case."""
        self.stack.call("POST", f"{self.stack.sandbox}/advance", {"hours": hours, "caseId": self.case_id})

    # -- Watching

    def get_case(self) -> dict[str, Any]:
        case: dict[str, Any] = self.stack.call("GET", f"{self.stack.api}/cases/{self.case_id}")["data"]
        return case

    def wait_for_status(self, *statuses: str) -> dict[str, Any]:
        return self.wait_for_case(f"status {' or '.join(statuses)}", lambda case: case["status"] in statuses)

    def wait_for_case(self, what: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Returns the case once `is_so`; a case that ends otherwise ends the demo."""

        def look() -> dict[str, Any] | None:
            case = self.get_case()
            if is_so(case):
                return case
            if case["status"] in ("COMPLETED", "FAILED"):
                raise CommandError(f"the case ended as {case['status']} ({case['resultStatus']}), not with {what}")
            return None

        return self.wait(what, look)

    def wait_for_mail(self, number: int) -> dict[str, Any]:
        """Returns the case's mail of that number, counted from 1."""

        def look() -> dict[str, Any] | None:
            mails = self._list_mails()
            return mails[number - 1] if len(mails) >= number else None

        return self.wait(f"mail {number}", look)

    def _list_mails(self) -> list[dict[str, Any]]:
        """The outbox holds the mail of every case to this address; this case's share its newest thread."""
        address = self.get_case()["counterparty"]["address"]
        mails = self.stack.call("GET", f"{self.stack.sandbox}/outbox?to={address}")["messages"]
        return [mail for mail in mails if mail["thread_id"] == mails[-1]["thread_id"]]

    def wait_for_notice(self, event_type: str) -> dict[str, Any]:
        """Returns the body of the newest webhook of that type for this case."""

        def look() -> dict[str, Any] | None:
            url = f"{self.stack.receiver}?case_id={self.case_id}&event_type={event_type}"
            received = self.stack.call("GET", url)["received"]
            return received[0]["body"] if received else None

        return self.wait(f"the webhook {event_type}", look)

    def wait(self, what: str, look: Callable[[], T | None]) -> T:
        """Returns what `look` finds, asked again every 0.2 s. Raises CommandError after STEP_SECONDS."""
        deadline = time.monotonic() + STEP_SECONDS
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            time.sleep(0.2)
        raise CommandError(
            f"{what} did not come within {STEP_SECONDS} s. "
            "The case's page in the admin and the log of ./dev up say why."
        )
