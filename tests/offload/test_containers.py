"""Dockerfile, docker-compose.yml, units and examples, held to the settings and to what the commands are called."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from django.db import connection

from offload.alive import LIVES_S, is_alive
from offload.checks import list_faults
from offload.models import Pulse
from offload.pulses import tell
from tests.live.systemctl import read_unit
from tests.offload.test_settings import SAFE

ROOT = Path(__file__).resolve().parents[2]
SETTINGS_PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
SETTINGS = set(re.findall(r"^\| `([A-Z_]+)` \|", SETTINGS_PAGE, re.MULTILINE))
# What the stack itself is told, and AWS's and Python's own.
OTHERS = {
    "POSTGRES_PASSWORD",
    "OFFLOAD_BIND",
    "OFFLOAD_IMAGE",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_EC2_METADATA_DISABLED",
}
# Of the page's own commands and of their test.
FOR_TESTS = {"OFFLOAD_HOST", "OFFLOAD_TEST_INSTALL"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES = re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("migrate", "web", "worker", "beat")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


def test_the_image_is_built_in_stages_and_the_last_one_runs_as_a_number_that_is_not_root() -> None:
    assert len(STAGES) == 2
    [user] = re.findall(r"^USER (\S+)$", STAGES[-1], re.MULTILINE)
    assert user == "10001:10001"
    # Whatever is written after it runs as root.
    assert not re.search(r"^(RUN|COPY)", STAGES[-1].partition("USER ")[2], re.MULTILINE)


def test_no_build_tool_is_left_in_the_image() -> None:
    assert "apt-get" not in DOCKERFILE
    assert "uninstall --yes pip setuptools" in STAGES[0]
    assert "pip uninstall --yes --quiet pip setuptools wheel" in STAGES[1]
    assert "--require-hashes" in STAGES[0]


def test_every_base_image_is_pinned_to_a_release() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images += [service["image"] for name, service in SERVICES.items() if name not in OURS]

    assert [image for image in images if not re.search(r":\d+\.\d+(\.\d+)?(-\w+)*$", image)] == []


def test_what_the_image_copies_is_there_and_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {source for source, _ in re.findall(r"^COPY (?!--from)(\S+) (\S+)$", DOCKERFILE, re.MULTILINE)}

    assert copied == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert [source for source in copied if not (ROOT / source).exists()] == []
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert packages <= copied


def test_every_process_has_a_health_check_a_grace_period_and_few_rights() -> None:
    for name in ("web", "worker", "beat"):
        service = SERVICES[name]
        assert service["healthcheck"]["test"] == ["CMD", "python", "-m", "offload.alive", name]
        assert service["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert "stop_grace_period" in service
        assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    assert "pg_isready" in SERVICES["postgres"]["healthcheck"]["test"][1]
    assert "HEALTHCHECK" in STAGES[-1]


def test_data_is_in_named_volumes() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}

    assert set(COMPOSE["volumes"]) == {"database", "queue"}
    assert set(COMPOSE["volumes"]) <= used


def test_every_variable_that_is_named_anywhere_is_one_that_is_read() -> None:
    named = {name for service in SERVICES.values() for name in service.get("environment", {})}
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    named |= set(re.findall(r"\$\{([A-Z_]+)", text)) | set(re.findall(r"^#?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE))
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    named |= set(re.findall(r"^([A-Z_]+)='", page, re.MULTILINE))
    named |= {name for name in re.findall(r"\b(?:OFFLOAD|AGENTMAIL)_[A-Z_]+\b", page) if name not in FOR_TESTS}

    assert {name for name in named if name not in SETTINGS and not name.startswith("POSTGRES_")} <= OTHERS


def test_the_example_names_everything_without_which_production_does_not_start() -> None:
    bare = {"secret_key": "", "agentmail_api_key": "", "agentmail_inbox_id": "", "database_url": ""}
    needed = {fault.split()[0] for fault in list_faults(SAFE.__class__(**{**_as_dict(SAFE), **bare}))}

    assert needed == {"OFFLOAD_SECRET_KEY", "AGENTMAIL_API_KEY", "AGENTMAIL_INBOX_ID", "DATABASE_URL"}
    assert needed <= set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE))


def _as_dict(settings: object) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__class__.__dataclass_fields__}  # type: ignore[attr-defined]


def list_command_lines() -> list[list[str]]:
    """Every command that a container or a unit runs, and those of the page."""
    lines = [json.loads(re.findall(r"^CMD (\[.*\])$", STAGES[-1], re.MULTILINE)[0])]
    lines += [SERVICES[name]["command"] for name in ("worker", "beat")]
    lines += [shlex.split(part) for part in SERVICES["migrate"]["command"][2].split("&&")]
    for unit in (ROOT / "docs" / "deploy" / "systemd").glob("offload-*.service"):
        lines.append(shlex.split(_read_unit(unit)["ExecStart"]))
    return lines


def _read_unit(path: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if "=" in line)
    return {name: value for name, value in pairs if not name.startswith("#")}


def test_every_command_exists() -> None:
    for line in list_command_lines():
        program = line[1:]
        if program[0] == "manage.py":
            assert program[1] in get_commands(), line
        else:
            assert (program[0], program[1]) in (
                ("-m", "gunicorn"),
                ("-m", "celery"),
                ("-m", "ministack"),
            ), line
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    used = set(
        re.findall(
            r"(?:^|&& |`)(?:offload|(?:docker compose run --rm web )?python manage\.py) ([a-z_]+)", page, re.MULTILINE
        )
    )
    assert {"migrate", "ensure_queues", "collectstatic", "connect_agentmail", "create_client", "doctor"} <= used
    assert used <= set(get_commands())


def test_containers_and_units_start_the_same_processes_with_the_same_options() -> None:
    units = ROOT / "docs" / "deploy" / "systemd"
    for name in ("worker", "beat"):
        unit = shlex.split(_read_unit(units / f"offload-{name}.service")["ExecStart"])
        assert unit[1:] == SERVICES[name]["command"][1:]
    web = shlex.split(_read_unit(units / "offload-web.service")["ExecStart"])
    image = json.loads(re.findall(r"^CMD (\[.*\])$", STAGES[-1], re.MULTILINE)[0])
    assert [part.replace("127.0.0.1", "0.0.0.0") for part in web[1:]] == image[1:]


@pytest.mark.parametrize("name", ["web", "worker", "beat", "queue"])
def test_every_unit_runs_as_offload_comes_back_and_may_write_nothing_of_the_system(name: str) -> None:
    unit = _read_unit(ROOT / "docs" / "deploy" / "systemd" / f"offload-{name}.service")

    assert unit["User"] == "offload"
    assert unit["Restart"] == "always"
    assert unit["ProtectSystem"] == "strict"
    assert unit["NoNewPrivileges"] == "yes"


def test_the_queue_of_one_machine_is_the_release_that_the_tests_run_with() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    locked = re.findall(r"^ministack==(\S+)", (ROOT / "tests" / "requirements.txt").read_text(), re.MULTILINE)

    assert re.findall(r"ministack==(\S+)", page) == locked


def test_the_policies_allow_what_operations_names_and_nothing_on_every_resource() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    allowed = set()
    for file in ("iam-run.json", "iam-deploy.json"):
        for statement in json.loads((ROOT / "docs" / "deploy" / file).read_text(encoding="utf-8"))["Statement"]:
            resources = statement["Resource"]
            assert "*" not in json.dumps(resources)
            allowed |= set(statement["Action"])

    assert allowed == set(re.findall(r"`(sqs:\w+)`", operations)) - {"sqs:ListQueues"}


def test_the_health_check_refuses_a_call_it_does_not_know() -> None:
    called = subprocess.run(
        [sys.executable, "-m", "offload.alive", "everything"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (called.returncode, called.stderr) == (2, "usage: python -m offload.alive web|worker|beat\n")


@pytest.mark.django_db(transaction=True)
def test_the_health_check_knows_a_beat_and_this_host_s_worker_by_their_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    database = connection.settings_dict
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    monkeypatch.setenv("DATABASE_URL", url)
    assert (is_alive("beat"), is_alive("worker")) == (False, False)
    tell("worker another-host:1", Pulse.WORKER)
    assert is_alive("worker") is False

    tell("beat", Pulse.BEAT)
    tell(f"worker {socket.gethostname()}:1", Pulse.WORKER)

    assert (is_alive("beat"), is_alive("worker")) == (True, True)
    Pulse.objects.update(beaten_at=datetime.now(UTC) - timedelta(seconds=LIVES_S + 1))
    assert (is_alive("beat"), is_alive("worker")) == (False, False)


def test_the_stand_in_for_systemctl_reads_a_unit_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.service").write_text("[Service]\n# Not=this\nEnvironment=A=1 B=2\nEnvironment=C=3\nExecStart=x y\n")
    monkeypatch.setattr("tests.live.systemctl.UNITS", tmp_path)

    assert read_unit("a") == {"Environment": ["A=1 B=2", "C=3"], "ExecStart": ["x y"]}


def test_every_link_of_the_page_leads_somewhere() -> None:
    page = ROOT / "docs" / "deploy.md"
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        path = page.parent / file if file else page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}, target
