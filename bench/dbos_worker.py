"""The peer of `against_dbos`: DBOS Transact with the same case as a workflow; runs in an environment of its own.

`python bench/dbos_worker.py DATABASE_URL MAIL_URL` reads "N" or "park N" a line, starts so many workflows and answers
with a line once they are started. Must not import anything of Offload.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from dbos import DBOS, DBOSConfig

STARTERS = 8
WAIT_SECONDS = 86_400.0
INBOX = "agent@offload.example"
TO = "maya@northstar.example"
local = threading.local()
mail = urlsplit(sys.argv[2])


def call(method: str, path: str, body: bytes | None = None, **headers: str) -> dict[str, Any]:
    """Returns the JSON answer of the mail provider, over this thread's kept connection."""
    if not hasattr(local, "connection"):
        local.connection = http.client.HTTPConnection(str(mail.hostname), mail.port, timeout=30)
    local.connection.request(method, f"{mail.path}{path}", body, headers)
    answer: dict[str, Any] = json.loads(local.connection.getresponse().read())
    return answer


@DBOS.step()
def draft(case: dict[str, str]) -> dict[str, Any]:
    """The model, instant."""
    return {"to": [TO], "subject": "Signed W-9", "text": f"Hi Maya,\n\n{case['objective']}\n\nAna"}


@DBOS.step()
def send(key: str, message: dict[str, Any]) -> dict[str, Any]:
    """The mail provider, as Offload calls it."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return call("POST", f"/inboxes/{INBOX}/messages/send", json.dumps(message).encode(), **headers)


@DBOS.step()
def evaluate(thread_id: str) -> dict[str, str]:
    """Reads the thread, then the model, instant."""
    call("GET", f"/inboxes/{INBOX}/threads/{thread_id}?limit=25")
    return {"legalName": "Northstar Trading LLC", "taxId": "12-3456789"}


@DBOS.step()
def complete(result: dict[str, str]) -> dict[str, Any]:
    """The outcome, recorded."""
    return {"status": "COMPLETED", "result": result}


@DBOS.workflow()
def coordinate(case: dict[str, str]) -> dict[str, Any]:
    """One case: start, wait for a message, complete."""
    key = DBOS.workflow_id or ""
    sent = send(key, draft(case))
    DBOS.recv("reply", WAIT_SECONDS)
    ended: dict[str, Any] = complete(evaluate(sent["thread_id"]))
    return ended


@DBOS.workflow()
def wait_only(case: dict[str, str]) -> str:
    """A case whose counterparty is silent."""
    DBOS.recv("reply", WAIT_SECONDS)
    return case["objective"]


def main() -> None:
    """Serves the commands until the input ends."""
    config = DBOSConfig(
        name="bench",
        system_database_url=sys.argv[1],
        log_level="ERROR",
    )
    DBOS(config=config)
    DBOS.launch()
    print("ready", flush=True)
    case = {"objective": "Collect a signed W-9 from Maya at Northstar"}
    with ThreadPoolExecutor(STARTERS) as starters:
        for line in sys.stdin:
            *words, count = line.split()
            workflow = wait_only if words else coordinate
            list(starters.map(lambda _, chosen=workflow: DBOS.start_workflow(chosen, case), range(int(count))))
            print("started", flush=True)
    DBOS.destroy(workflow_completion_timeout_sec=0)


if __name__ == "__main__":
    main()
