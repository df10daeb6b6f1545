"""Plays a whole case against the running local stack and shows each step; must go through HTTP like any client."""

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

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

T = TypeVar("T")

STEP_SECONDS = 60
REPLY = """Hi Ana,

here you go, signed this morning.

Legal name: Northstar LLC
Tax ID: 12-3456789

Best,
Maya"""
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

    def get_case(self, case_id: str) -> dict[str, Any]:
        case: dict[str, Any] = self.call("GET", f"{self.api}/cases/{case_id}")["data"]
        return case


class Command(BaseCommand):
    help = "Plays a case from POST /cases to case.completed on the local stack that ./dev up has started."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--stack",
            default=str(Path(settings.BASE_DIR) / "var" / "dev.json"),
            help="where ./dev up wrote its description (default: var/dev.json)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stack = Stack(self._read_description(Path(options["stack"])))
        case_id = self._open_case(stack)
        outreach = self._show_outreach(stack, case_id)
        self._reply(stack, outreach)
        self._show_end(stack, case_id)

    def _read_description(self, path: Path) -> dict[str, Any]:
        try:
            description: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CommandError(f"{path} is not there. Start the local stack with ./dev up, then try again.") from None
        return description

    def _open_case(self, stack: Stack) -> str:
        self._announce("1. The application hands the case over: POST /cases")
        answer = stack.call("POST", f"{stack.api}/cases", W9_CASE | {"clientWebhookUrl": stack.receiver})["data"]
        self._say(f"caseId {answer['caseId']}, status {answer['status']}")
        return str(answer["caseId"])

    def _show_outreach(self, stack: Stack, case_id: str) -> dict[str, Any]:
        self._announce("2. The agent writes to Maya")
        running = self._wait("the outreach", lambda: self._has_status(stack, case_id, "RUNNING"))
        mail: dict[str, Any] = self._find_outreach(stack, case_id, running)
        self._say(f"To: {', '.join(mail['to'])}\nSubject: {mail['subject']}\n\n{mail['text']}")
        self._say(f"status {running['status']}, attemptCount {running['attemptCount']}")
        return mail

    def _find_outreach(self, stack: Stack, case_id: str, case: dict[str, Any]) -> dict[str, Any]:
        address = case["counterparty"]["address"]
        mails = stack.call("GET", f"{stack.sandbox}/outbox?to={address}")["messages"]
        if not mails:
            raise CommandError(f"case {case_id} is RUNNING, but the sandbox has no mail to {address}")
        newest: dict[str, Any] = mails[-1]
        return newest

    def _reply(self, stack: Stack, outreach: dict[str, Any]) -> None:
        self._announce("3. Maya answers, with the file")
        self._say(REPLY)
        attachment = {
            "filename": "w9-northstar.pdf",
            "content_type": "application/pdf",
            "content": base64.b64encode(b"%PDF-1.4\n% a signed W-9\n%%EOF\n").decode(),
        }
        body = {"thread_id": outreach["thread_id"], "text": REPLY, "attachments": [attachment]}
        stack.call("POST", f"{stack.sandbox}/inbound", body)

    def _show_end(self, stack: Stack, case_id: str) -> None:
        self._announce("4. The agent reads the reply and decides")
        ended = self._wait("the decision", lambda: self._has_status(stack, case_id, "COMPLETED", "FAILED"))
        self._say(f"status {ended['status']}, resultStatus {ended['resultStatus']}")
        self._say(f"result {json.dumps(ended.get('result'), indent=2)}")
        self._say("attachments " + ", ".join(a["name"] for a in ended["attachments"]))
        self._announce("5. The application is told: case.completed at its webhook")
        received = self._wait("the webhook", lambda: self._find_notice(stack, case_id))
        self._say(json.dumps(received, indent=2))
        if ended["status"] != "COMPLETED" or received["event_type"] != "case.completed":
            raise CommandError(f"the case ended as {ended['status']}, not COMPLETED")
        self.stdout.write(self.style.SUCCESS("\nThe case is complete."))

    def _has_status(self, stack: Stack, case_id: str, *statuses: str) -> dict[str, Any] | None:
        case = stack.get_case(case_id)
        return case if case["status"] in statuses else None

    def _find_notice(self, stack: Stack, case_id: str) -> dict[str, Any] | None:
        received = stack.call("GET", f"{stack.receiver}?case_id={case_id}")["received"]
        return received[0]["body"] if received else None

    def _wait(self, what: str, find: Callable[[], T | None]) -> T:
        """Returns what `find` finds, asked again every 0.2 s. Raises CommandError after STEP_SECONDS."""
        deadline = time.monotonic() + STEP_SECONDS
        while time.monotonic() < deadline:
            if (found := find()) is not None:
                return found
            time.sleep(0.2)
        raise CommandError(
            f"{what} did not come within {STEP_SECONDS} s. "
            "The case's page in the admin and the log of ./dev up say why."
        )

    def _announce(self, text: str) -> None:
        self.stdout.write("\n" + self.style.MIGRATE_HEADING(text))

    def _say(self, text: str) -> None:
        self.stdout.write(textwrap.indent(text, "   "))
