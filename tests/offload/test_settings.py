"""Settings: what Offload refuses to start with, and that README's table is the whole truth about them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import agentmail
from offload.checks import list_production_faults

ROOT = Path(__file__).resolve().parents[2]
SAFE: dict[str, Any] = {
    "mode": "production",
    "secret_key": "x" * 50,
    "debug": False,
    "sandbox": False,
    "sandbox_url": "http://127.0.0.1:8001",
    "agentmail_base_url": "https://api.agentmail.to/v0",
    "agentmail_api_key": "am_1",
    "agentmail_inbox_id": "agent@acme.example",
    "agentmail_webhook_secrets": ["whsec_1"],
    "database_url_set": True,
    "install_id": "main",
    "lease_seconds": 45.0,
    "heartbeat_seconds": 15.0,
    "sweep_seconds": 10,
    "visibility_seconds": 120.0,
}


def test_safe_settings_have_no_fault() -> None:
    assert list_production_faults(**SAFE) == []


@pytest.mark.parametrize(
    ("name", "value", "names"),
    [
        ("secret_key", "", "OFFLOAD_SECRET_KEY"),
        ("debug", True, "OFFLOAD_DEBUG"),
        ("agentmail_api_key", "", "AGENTMAIL_API_KEY"),
        ("agentmail_inbox_id", "", "AGENTMAIL_INBOX_ID"),
        ("agentmail_webhook_secrets", [], "AGENTMAIL_WEBHOOK_SECRETS"),
        ("database_url_set", False, "DATABASE_URL"),
        ("heartbeat_seconds", 30.0, "OFFLOAD_HEARTBEAT_SECONDS"),
        ("sweep_seconds", 0, "OFFLOAD_SWEEP_SECONDS"),
        ("lease_seconds", 120.0, "OFFLOAD_LEASE_SECONDS"),
        ("install_id", "two words", "OFFLOAD_INSTALL_ID"),
        ("mode", "staging", "OFFLOAD_MODE"),
    ],
)
def test_each_unsafe_setting_is_named(name: str, value: object, names: str) -> None:
    [fault] = list_production_faults(**SAFE | {name: value})

    assert fault.startswith(names)


def test_the_sandbox_is_refused_in_production_and_beside_the_real_provider_anywhere() -> None:
    at_the_sandbox = {"sandbox": True, "agentmail_base_url": "http://127.0.0.1:8001/sandbox/agentmail/v0"}

    assert [fault[:21] for fault in list_production_faults(**SAFE | at_the_sandbox)] == ["OFFLOAD_SANDBOX is on"]
    assert list_production_faults(**SAFE | at_the_sandbox | {"mode": "local"}) == []
    assert len(list_production_faults(**SAFE | {"sandbox": True, "mode": "local"})) == 1


def run_manage(**env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_production_without_settings_refuses_to_start_and_names_every_one() -> None:
    refused = run_manage(OFFLOAD_MODE="production")

    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    for name in ("OFFLOAD_SECRET_KEY", "AGENTMAIL_API_KEY", "AGENTMAIL_INBOX_ID", "DATABASE_URL"):
        assert f"{name} is not set" in refused.stderr


def test_a_value_of_the_wrong_type_is_named_without_a_stack_trace() -> None:
    refused = run_manage(OFFLOAD_MODE="local", OFFLOAD_SECRET_KEY="x", OFFLOAD_MAX_FAILURES="many")

    assert refused.returncode == 1
    assert "OFFLOAD_MAX_FAILURES" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_table_in_readme_lists_exactly_the_settings_that_are_read() -> None:
    source = (ROOT / "offload" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))

    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))

    assert listed == read


def test_agentmail_is_our_package_and_not_the_provider_s_sdk() -> None:
    assert agentmail.__file__ is not None
    assert Path(agentmail.__file__).parent == ROOT / "agentmail"
