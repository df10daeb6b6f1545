"""What `./dev` decides and writes before and after it runs processes."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cases import keys
from tests.dev.loading import FILE, dev

MEMORY: dict[str, Any] = {
    "secret_key": "a-secret",
    "install_id": "local-abc123",
    "agentmail_api_key": "am_local_1",
    "webhook_secret": "whsec_c2VjcmV0",
    "seed": {
        "api_key": "off_1",
        "second_api_key": "off_2",
        "inactive_api_key": "off_3",
        "staff": {
            "support": {"username": "support", "password": "support-password"},
            "admin": {"username": "admin", "password": "admin-password"},
        },
    },
}
REAL_MAIL = {
    "AGENTMAIL_API_KEY": "am_real",
    "AGENTMAIL_INBOX_ID": "ana@acme.example",
    "AGENTMAIL_WEBHOOK_SECRETS": "whsec_b25l,whsec_dHdv",
}
LOCKED = """\
urllib3==2.7.0 \\
    --hash=sha256:aa
    # via requests
uv==0.13.9 \\
    --hash=sha256:bb \\
    --hash=sha256:cc
    # via offload (pyproject.toml:dev)
uvicorn==1.0 \\
    --hash=sha256:dd
"""


def compose(given: dict[str, str], sqs_url: str = "http://127.0.0.1:9324") -> dict[str, str]:
    settings: dict[str, str] = dev.compose_settings(
        given, MEMORY, web=8000, sandbox=8001, database_url="postgres://own", sqs_url=sqs_url
    )
    return settings


def describe(settings: dict[str, str], *services: str) -> dict[str, Any]:
    pids = {name: number for number, name in enumerate(services, 100)}
    description: dict[str, Any] = dev.describe(MEMORY, settings, pids, web=8000, sandbox=8001)
    return description


def test_the_installer_is_pinned_by_the_same_lock_as_everything_else() -> None:
    assert dev.find_locked(LOCKED, "uv") == "uv==0.13.9 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"


def test_a_lock_without_the_installer_leaves_pip() -> None:
    assert dev.find_locked(LOCKED.replace("uv==0.13.9", "ux==0.13.9"), "uv") == ""


def test_without_any_setting_all_of_the_local_installation_points_at_itself() -> None:
    assert compose({}) == {
        "OFFLOAD_MODE": "local",
        "OFFLOAD_SECRET_KEY": "a-secret",
        "OFFLOAD_INSTALL_ID": "local-abc123",
        "OFFLOAD_ALLOWED_HOSTS": "localhost,127.0.0.1",
        "OFFLOAD_QUEUE": "offload-tasks",
        "OFFLOAD_WEBHOOK_ALLOW_PRIVATE": "1",
        "OFFLOAD_SANDBOX": "1",
        "OFFLOAD_SANDBOX_URL": "http://127.0.0.1:8001",
        "OFFLOAD_SANDBOX_WEBHOOK_URL": "http://127.0.0.1:8000/agentmail/webhook",
        "AGENTMAIL_BASE_URL": "http://127.0.0.1:8001/sandbox/agentmail/v0",
        "AGENTMAIL_API_KEY": "am_local_1",
        "AGENTMAIL_INBOX_ID": "agent@offload.example",
        "AGENTMAIL_WEBHOOK_SECRETS": "whsec_c2VjcmV0",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9324",
        "DATABASE_URL": "postgres://own",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def test_a_setting_of_the_users_wins() -> None:
    settings = compose({"OFFLOAD_QUEUE": "mine", "OFFLOAD_LEASE_SECONDS": "3", "AGENTMAIL_INBOX_ID": "me@a.example"})

    assert settings["OFFLOAD_QUEUE"] == "mine"
    assert settings["OFFLOAD_LEASE_SECONDS"] == "3"
    assert settings["AGENTMAIL_INBOX_ID"] == "me@a.example"
    assert settings["OFFLOAD_SANDBOX"] == "1"


def test_a_real_mail_key_leaves_the_sandbox_off_and_the_provider_to_the_products_default() -> None:
    settings = compose(REAL_MAIL)

    assert {name: value for name, value in settings.items() if name.startswith("AGENTMAIL_")} == REAL_MAIL
    assert not [name for name in settings if name.startswith("OFFLOAD_SANDBOX")]


@pytest.mark.parametrize(
    ("given", "is_real"),
    [
        ({}, False),
        ({"AGENTMAIL_INBOX_ID": "me@a.example"}, False),
        ({"AGENTMAIL_API_KEY": "am_real"}, True),
        ({"AGENTMAIL_BASE_URL": "https://api.agentmail.eu/v0"}, True),
        ({"OFFLOAD_SANDBOX": "0"}, True),
        ({"OFFLOAD_SANDBOX": "true", "AGENTMAIL_API_KEY": "am_for_the_sandbox"}, False),
    ],
)
def test_mail_is_real_only_when_a_setting_says_so(given: dict[str, str], is_real: bool) -> None:
    assert dev.wants_real_mail(given) is is_real


def test_the_stand_in_queue_never_sees_the_users_aws_account() -> None:
    settings = compose({"AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "real", "AWS_PROFILE": "work"})

    assert {name: value for name, value in settings.items() if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9324",
    }


def test_a_queue_of_the_users_keeps_the_users_aws_account() -> None:
    given = {"AWS_PROFILE": "work", "OFFLOAD_QUEUE_URL": "https://sqs.example/1/q"}

    assert {name: value for name, value in compose(given, "").items() if name.startswith("AWS_")} == {
        "AWS_PROFILE": "work"
    }


def test_a_child_sees_no_setting_of_the_shell_but_those_that_were_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMAIL_API_KEY", "am_real")
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "another.project")
    monkeypatch.setenv("EDITOR", "vi")

    env = dev.complete_environment({"OFFLOAD_MODE": "local"})

    assert [name for name in env if name.startswith(("OFFLOAD_", "AGENTMAIL_", "AWS_"))] == ["OFFLOAD_MODE"]
    assert env["DJANGO_SETTINGS_MODULE"] == "offload.settings"
    assert env["EDITOR"] == "vi"


def test_an_env_file_is_read_without_comments_quotes_and_empty_values() -> None:
    text = (
        "# mail\n\nAGENTMAIL_API_KEY=\"am_1\"\nexport OFFLOAD_MODEL='offline'\nOFFLOAD_QUEUE=\nnot a setting\nA=b=c\n"
    )

    assert dev.parse_env_file(text) == {"AGENTMAIL_API_KEY": "am_1", "OFFLOAD_MODEL": "offline", "A": "b=c"}


def test_the_example_env_file_sets_nothing_until_it_is_edited() -> None:
    text = FILE.with_name(".env.example").read_text(encoding="utf-8")

    assert dev.parse_env_file(text) == {}


def test_secrets_are_made_once_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    first = dev.State(tmp_path / "var").remember(postgres_port=5001)
    second = dev.State(tmp_path / "var").remember(sqs_port=5002)

    assert second == first | {"sqs_port": 5002}
    for name in ("memory.json", "seed.json"):
        assert stat.S_IMODE((tmp_path / "var" / name).stat().st_mode) == 0o600
    assert json.loads((tmp_path / "var" / "seed.json").read_text(encoding="utf-8")) == first["seed"]


def test_each_installation_has_secrets_of_its_own_and_keys_that_the_api_takes() -> None:
    one, other = dev.make_secrets(), dev.make_secrets()

    assert not set(map(str, one.values())) & set(map(str, other.values()))
    names = ("api_key", "second_api_key", "inactive_api_key")
    assert all(keys.is_well_formed(one["seed"][name]) for name in names)
    assert len({one["seed"][name] for name in names}) == 3


def test_a_damaged_memory_is_a_fault_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "memory.json").write_text("{", encoding="utf-8")

    with pytest.raises(dev.Fault, match=r"memory\.json is damaged"):
        dev.State(tmp_path).remember()

    assert (tmp_path / "memory.json").read_text(encoding="utf-8") == "{"


def test_a_second_holder_of_the_lock_is_told_who_has_it(tmp_path: Path) -> None:
    lock = tmp_path / "dev.lock"

    with (
        dev.hold_lock(lock, ""),
        pytest.raises(dev.Fault, match=f"^runs as {os.getpid()}$"),
        dev.hold_lock(lock, "runs as {pid}"),
    ):
        raise AssertionError("the lock was given twice")

    with dev.hold_lock(lock, "not let go by {pid}"):
        assert lock.read_text(encoding="utf-8") == str(os.getpid())


def test_scripts_read_every_place_and_secret_of_the_running_installation() -> None:
    assert describe(compose({}), "web", "sandbox") == {
        "api": "http://127.0.0.1:8000",
        "admin": "http://127.0.0.1:8000/admin/",
        "sandbox": "http://127.0.0.1:8001/sandbox/",
        "webhook_receiver": "http://127.0.0.1:8001/sandbox/receiver/",
        "api_key": "off_1",
        "second_api_key": "off_2",
        "inactive_api_key": "off_3",
        "agentmail_api_key": "am_local_1",
        "agentmail_webhook_url": "http://127.0.0.1:8000/agentmail/webhook",
        "agentmail_webhook_secret": "whsec_c2VjcmV0",
        "staff": MEMORY["seed"]["staff"],
        "database_url": "postgres://own",
        "sqs_endpoint": "http://127.0.0.1:9324",
        "queue": "offload-tasks",
        "pids": {"web": 100, "sandbox": 101},
    }


def test_the_first_curl_is_a_shell_command_whose_body_is_the_w9_case() -> None:
    command = shlex.split(dev.make_first_curl("http://127.0.0.1:8000", "off_1", "http://127.0.0.1:8001/r/"))

    assert command[:7] == [
        *("curl", "-sS", "http://127.0.0.1:8000/cases"),
        *("-H", "x-api-key: off_1", "-H", "content-type: application/json"),
    ]
    assert command[7] == "-d"
    body = json.loads(command[8])
    assert len(command) == 9
    assert body["goal"]["objective"] == "Collect a signed W-9 from Maya"
    assert body["counterparty"]["address"] == "maya@northstar.example"
    assert body["clientWebhookUrl"] == "http://127.0.0.1:8001/r/"


def test_the_first_screen_says_that_mail_stays_here_and_who_answers() -> None:
    settings = compose({})

    screen = dev.make_first_screen(describe(settings, "web", "sandbox"), settings)

    assert "  API               http://127.0.0.1:8000\n" in screen
    assert "http://127.0.0.1:8000/admin/   support / support-password" in screen
    assert "Mail goes to the sandbox and never leaves this machine. For real mail set AGENTMAIL_API_KEY" in screen
    assert "The offline agent answers: fixed rules, no model. OFFLOAD_MODEL=anthropic:… brings a real one." in screen
    assert "Ctrl-C stops it all and keeps the cases." in screen


def test_the_first_screen_sets_the_names_that_the_examples_of_the_docs_use() -> None:
    settings = compose({})

    screen = dev.make_first_screen(describe(settings, "web", "sandbox"), settings)

    assert [line for line in screen.splitlines() if line.startswith("export ")] == [
        "export OFFLOAD_URL=http://127.0.0.1:8000",
        "export OFFLOAD_KEY=off_1",
        "export SANDBOX=http://127.0.0.1:8001/sandbox",
        "export RECEIVER=http://127.0.0.1:8001/sandbox/receiver",
    ]


def test_the_first_screen_of_a_temporary_installation_does_not_promise_to_keep_the_cases() -> None:
    settings = compose({})

    screen = dev.make_first_screen(describe(settings, "web", "sandbox"), settings, is_temporary=True)

    assert "Ctrl-C stops it all and deletes the cases." in screen
    assert "keeps the cases" not in screen


def test_the_first_screen_warns_of_real_mail_and_offers_no_receiver() -> None:
    settings = compose(REAL_MAIL)

    screen = dev.make_first_screen(describe(settings, "web"), settings)

    assert "Mail is REAL: AgentMail delivers it, from ana@acme.example. The sandbox is off;" in screen
    assert [line for line in screen.splitlines() if line.startswith("export ")] == [
        "export OFFLOAD_URL=http://127.0.0.1:8000",
        "export OFFLOAD_KEY=off_1",
    ]
    assert "clientWebhookUrl" not in screen
    assert "webhook receiver" not in screen


def test_all_parts_of_the_tests_but_the_slow_ones_run_by_default() -> None:
    assert list(dev.list_parts(full=False, e2e=False, has_browser=True)) == ["unit", "live", "e2e"]
    assert list(dev.list_parts(full=True, e2e=False, has_browser=True)) == ["unit", "live", "long", "e2e"]
    assert list(dev.list_parts(full=False, e2e=True, has_browser=True)) == ["e2e"]


def test_without_a_browser_its_tests_are_left_out() -> None:
    assert list(dev.list_parts(full=False, e2e=False, has_browser=False)) == ["unit", "live"]
    assert "--ignore=tests/e2e" in dev.list_parts(full=False, e2e=False, has_browser=False)["unit"]


def test_an_error_outside_a_test_counts_as_a_failure() -> None:
    report = '<testsuites><testsuite tests="10" failures="1" errors="2" skipped="3"/></testsuites>'

    assert dev.count_tests(report) == {"passed": 4, "failed": 3, "skipped": 3}


def run_dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FILE), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_an_argument_that_is_not_known_is_refused_in_a_sentence() -> None:
    done = run_dev("up", "--ports", "1")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "./dev: error: unknown: --ports 1"


@pytest.mark.parametrize("port", ["65536", "-1", "web"])
def test_a_port_that_is_none_is_refused_in_a_sentence(port: str) -> None:
    done = run_dev("up", f"--port={port}")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"{port} is not a port; give a number from 0 to 65535")


def test_a_reset_that_nobody_confirms_deletes_nothing(tmp_path: Path) -> None:
    memory = dev.State(tmp_path).remember()

    done = subprocess.run(
        [sys.executable, str(FILE), "reset", "--var", str(tmp_path)],
        input="yes\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "Nothing was deleted." in done.stdout
    assert dev.State(tmp_path).remember() == memory


def test_a_reset_deletes_what_dev_made_and_nothing_else(tmp_path: Path) -> None:
    dev.State(tmp_path).remember()
    (tmp_path / "pg").mkdir()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")

    assert run_dev("reset", "--var", str(tmp_path), "--yes").returncode == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev.lock", "notes.txt"]
