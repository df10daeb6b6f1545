"""Settings: what Offload refuses to start with, and that docs/settings.md is the whole truth about them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils.formats import date_format

import agentmail
from offload.checks import Settings, list_faults

ROOT = Path(__file__).resolve().parents[2]
SAFE = Settings(
    mode="production",
    secret_key="x" * 50,
    debug=False,
    log_level="INFO",
    log_format="json",
    public_url="https://offload.example.com",
    install_id="main",
    rate_limit_per_key=1200,
    rate_limit_per_ip=60,
    trusted_proxies=0,
    database_url="postgres://offload:pw@db:5432/offload",
    lease_seconds=45.0,
    heartbeat_seconds=15.0,
    deadline_seconds=300.0,
    sweep_seconds=10,
    follow_up_sweep_seconds=3600,
    reconcile_seconds=600,
    visibility_seconds=120,
    max_failures=5,
    model="offline",
    fallback_model="",
    model_deadline_seconds=120.0,
    model_max_answer_tokens=4_000,
    model_caps={"OFFLOAD_MODEL_MAX_CASE_TOKENS": 0},
    agentmail_base_url="https://api.agentmail.to/v0",
    agentmail_api_key="am_1",
    agentmail_inbox_id="agent@acme.example",
    agentmail_webhook_secrets=("whsec_dGVzdA==",),
    metrics_token="",
    webhook_allow_private=False,
    sandbox=False,
    sandbox_url="http://127.0.0.1:8001",
)
AT_THE_SANDBOX: dict[str, Any] = {"sandbox": True, "agentmail_base_url": "http://127.0.0.1:8001/sandbox/agentmail/v0"}


def test_safe_settings_have_no_fault() -> None:
    assert list_faults(SAFE) == []


@pytest.mark.parametrize(
    ("name", "value", "names"),
    [
        ("mode", "staging", "OFFLOAD_MODE"),
        ("secret_key", "", "OFFLOAD_SECRET_KEY"),
        ("secret_key", "x" * 49, "OFFLOAD_SECRET_KEY"),
        ("debug", True, "OFFLOAD_DEBUG"),
        ("log_level", "LOUD", "OFFLOAD_LOG_LEVEL"),
        ("install_id", "two words", "OFFLOAD_INSTALL_ID"),
        ("public_url", "offload.example.com", "OFFLOAD_PUBLIC_URL"),
        ("public_url", "https://offload.example.com/api", "OFFLOAD_PUBLIC_URL"),
        ("rate_limit_per_key", -1, "OFFLOAD_RATE_LIMIT_PER_KEY"),
        ("rate_limit_per_key", 1_000_001, "OFFLOAD_RATE_LIMIT_PER_KEY"),
        ("rate_limit_per_ip", -1, "OFFLOAD_RATE_LIMIT_PER_IP"),
        ("trusted_proxies", -1, "OFFLOAD_TRUSTED_PROXIES"),
        ("trusted_proxies", 11, "OFFLOAD_TRUSTED_PROXIES"),
        ("database_url", "", "DATABASE_URL"),
        ("database_url", "mysql://db/offload", "DATABASE_URL"),
        ("heartbeat_seconds", 30.0, "OFFLOAD_HEARTBEAT_SECONDS"),
        ("heartbeat_seconds", 0.0, "OFFLOAD_HEARTBEAT_SECONDS"),
        ("lease_seconds", 120.0, "OFFLOAD_LEASE_SECONDS"),
        ("deadline_seconds", 10.0, "OFFLOAD_EVENT_DEADLINE_SECONDS"),
        ("sweep_seconds", 0, "OFFLOAD_SWEEP_SECONDS"),
        ("follow_up_sweep_seconds", 0, "OFFLOAD_FOLLOW_UP_SWEEP_SECONDS"),
        ("reconcile_seconds", 0, "OFFLOAD_RECONCILE_SECONDS"),
        ("max_failures", 0, "OFFLOAD_MAX_FAILURES"),
        ("model", "gpt", "OFFLOAD_MODEL"),
        ("model", "", "OFFLOAD_MODEL"),
        ("fallback_model", "offline", "OFFLOAD_FALLBACK_MODEL"),
        ("model_deadline_seconds", 0.0, "OFFLOAD_MODEL_DEADLINE_SECONDS"),
        ("model_deadline_seconds", 151.0, "OFFLOAD_MODEL_DEADLINE_SECONDS"),
        ("model_max_answer_tokens", 499, "OFFLOAD_MODEL_MAX_ANSWER_TOKENS"),
        ("model_caps", {"OFFLOAD_MODEL_MAX_CASE_TOKENS": -1}, "OFFLOAD_MODEL_MAX_CASE_TOKENS"),
        ("agentmail_base_url", "foo", "AGENTMAIL_BASE_URL"),
        ("agentmail_api_key", "", "AGENTMAIL_API_KEY"),
        ("agentmail_inbox_id", "", "AGENTMAIL_INBOX_ID"),
        ("agentmail_webhook_secrets", ("notwhsec",), "AGENTMAIL_WEBHOOK_SECRETS"),
        ("agentmail_webhook_secrets", ("whsec_dGVzdA==", "whsec_!"), "AGENTMAIL_WEBHOOK_SECRETS"),
        ("webhook_allow_private", True, "OFFLOAD_WEBHOOK_ALLOW_PRIVATE"),
        ("metrics_token", "too-short", "OFFLOAD_METRICS_TOKEN"),
    ],
)
def test_each_wrong_or_unsafe_setting_is_named(name: str, value: object, names: str) -> None:
    [fault] = list_faults(replace(SAFE, **{name: value}))  # type: ignore[arg-type]

    assert fault.startswith(names)


def test_every_fault_is_told_at_once() -> None:
    assert len(list_faults(replace(SAFE, secret_key="", agentmail_api_key="", max_failures=0))) == 3


def test_the_sandbox_is_refused_in_production_and_beside_the_real_provider_anywhere() -> None:
    assert [fault[:21] for fault in list_faults(replace(SAFE, **AT_THE_SANDBOX))] == ["OFFLOAD_SANDBOX is on"]
    assert list_faults(replace(SAFE, **AT_THE_SANDBOX, mode="local")) == []
    assert len(list_faults(replace(SAFE, sandbox=True, mode="local"))) == 1


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
    refused = run_manage(OFFLOAD_MODE="local", OFFLOAD_SWEEP_SECONDS="x", OFFLOAD_MAX_FAILURES="many")

    assert refused.returncode == 1
    assert "OFFLOAD_MAX_FAILURES" in refused.stderr
    assert "OFFLOAD_SWEEP_SECONDS" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_page_of_settings_lists_exactly_those_that_are_read() -> None:
    source = (ROOT / "offload" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))

    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))

    assert listed == read


def test_the_admin_writes_times_with_24_hours_in_utc() -> None:
    assert date_format(datetime(2026, 11, 24, 22, 5, tzinfo=UTC), "DATETIME_FORMAT") == "24 Nov 2026, 22:05 UTC"


def test_agentmail_is_our_package_and_not_the_provider_s_sdk() -> None:
    assert agentmail.__file__ is not None
    assert Path(agentmail.__file__).parent == ROOT / "agentmail"
