"""PURE: which settings Offload refuses to start with; must not read the environment or Django."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

MODES = ("production", "local")
OFFLINE = "offline"
LOG_FORMATS = ("json", "line")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SHORTEST_SECRET_KEY = 50
SHORTEST_METRICS_TOKEN = 16
HIGHEST_RATE_LIMIT = 1_000_000
MOST_PROXIES = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that can be wrong in a way that only shows when it is too late."""

    mode: str
    secret_key: str
    debug: bool
    log_level: str
    log_format: str
    public_url: str
    install_id: str
    rate_limit_per_key: int
    rate_limit_per_ip: int
    trusted_proxies: int
    database_url: str
    lease_seconds: float
    heartbeat_seconds: float
    deadline_seconds: float
    sweep_seconds: int
    follow_up_sweep_seconds: int
    reconcile_seconds: int
    visibility_seconds: int
    max_failures: int
    model: str
    fallback_model: str
    model_deadline_seconds: float
    model_max_answer_tokens: int
    model_caps: Mapping[str, Decimal | int]
    agentmail_base_url: str
    agentmail_api_key: str
    agentmail_inbox_id: str
    agentmail_webhook_secrets: tuple[str, ...]
    metrics_token: str
    webhook_allow_private: bool
    sandbox: bool
    sandbox_url: str


def list_faults(settings: Settings) -> list[str]:
    """Returns one sentence for each setting that must be mended first; an empty list means: start."""
    if settings.mode not in MODES:
        return [f'OFFLOAD_MODE is "{settings.mode}"; set it to "production" or "local".']
    faults = [*_find_wrong_values(settings), *_find_wrong_limits(settings), *_find_wrong_times(settings)]
    faults += _find_wrong_model(settings)
    if settings.mode == "production":
        faults += _find_unsafe(settings)
    return faults


def _find_wrong_values(settings: Settings) -> Iterator[str]:
    if not settings.secret_key:
        yield "OFFLOAD_SECRET_KEY is not set; set it to at least 50 random characters."
    if settings.log_level not in LOG_LEVELS:
        yield f'OFFLOAD_LOG_LEVEL is "{settings.log_level}"; set it to one of {", ".join(LOG_LEVELS)}.'
    if settings.log_format not in LOG_FORMATS:
        yield f'OFFLOAD_LOG_FORMAT is "{settings.log_format}"; set it to one of {", ".join(LOG_FORMATS)}.'
    if settings.public_url and not re.fullmatch(r"https?://[^\s/?#@]+", settings.public_url.rstrip("/")):
        yield "OFFLOAD_PUBLIC_URL must be this installation's address without a path, such as https://offload.example.com."
    if not re.fullmatch(r"[A-Za-z0-9._~-]{1,100}", settings.install_id):
        # The provider refuses an idempotency key with any other character, and with it every mail.
        yield "OFFLOAD_INSTALL_ID must be 1 to 100 characters of A-Z a-z 0-9 - . _ ~."
    if settings.database_url and urlsplit(settings.database_url).scheme not in ("postgres", "postgresql"):
        yield "DATABASE_URL must begin with postgres:// ; Offload runs on PostgreSQL alone."
    if urlsplit(settings.agentmail_base_url).scheme not in ("http", "https"):
        yield "AGENTMAIL_BASE_URL must be an http or https URL, such as https://api.agentmail.to/v0."
    if not all(map(_is_webhook_secret, settings.agentmail_webhook_secrets)):
        yield "AGENTMAIL_WEBHOOK_SECRETS must be whsec_ and Base64, as AgentMail shows it; two with a comma between."
    if settings.metrics_token and not re.fullmatch(rf"[!-~]{{{SHORTEST_METRICS_TOKEN},}}", settings.metrics_token):
        yield f"OFFLOAD_METRICS_TOKEN must be at least {SHORTEST_METRICS_TOKEN} letters, digits and signs of ASCII."
    if settings.sandbox and not settings.agentmail_base_url.startswith(settings.sandbox_url):
        yield (
            "OFFLOAD_SANDBOX is on, but AGENTMAIL_BASE_URL is not the sandbox's; "
            "a sandbox never runs beside the real mail provider. Unset one of the two."
        )


def _is_webhook_secret(secret: str) -> bool:
    try:
        return secret.startswith("whsec_") and bool(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        return False


def _find_wrong_model(settings: Settings) -> Iterator[str]:
    example = "write provider and model, such as anthropic:claude-sonnet-5-5 or openai-chat:gpt-5"
    if settings.model != OFFLINE and not re.fullmatch(r"[a-z][a-z0-9/-]*:\S+", settings.model):
        yield f'OFFLOAD_MODEL is "{settings.model}"; {example}, or offline for the agent that works by rules.'
    if settings.fallback_model and not re.fullmatch(r"[a-z][a-z0-9/-]*:\S+", settings.fallback_model):
        yield f'OFFLOAD_FALLBACK_MODEL is "{settings.fallback_model}"; {example}.'
    # A call, the mail that follows and the transactions around them have to fit; a wrong deadline has its own fault.
    longest = max(settings.deadline_seconds, 2 * settings.lease_seconds, 240) / 2
    if not 0 < settings.model_deadline_seconds <= longest:
        yield "OFFLOAD_MODEL_DEADLINE_SECONDS must be above 0, and at most half of OFFLOAD_EVENT_DEADLINE_SECONDS."
    if settings.model_max_answer_tokens < 500:
        yield "OFFLOAD_MODEL_MAX_ANSWER_TOKENS must be at least 500: a mail with its reasons needs as much."
    for name, cap in settings.model_caps.items():
        if not cap >= 0:
            yield f"{name} must be 0 (no cap) or more."


def _find_wrong_limits(settings: Settings) -> Iterator[str]:
    limits = {
        "OFFLOAD_RATE_LIMIT_PER_KEY": settings.rate_limit_per_key,
        "OFFLOAD_RATE_LIMIT_PER_IP": settings.rate_limit_per_ip,
    }
    for name, limit in limits.items():
        if not 0 <= limit <= HIGHEST_RATE_LIMIT:
            yield f"{name} must be requests a minute, 1 to {HIGHEST_RATE_LIMIT}; 0 means no limit."
    if not 0 <= settings.trusted_proxies <= MOST_PROXIES:
        yield f"OFFLOAD_TRUSTED_PROXIES must be the number of proxies in front of Offload, 0 to {MOST_PROXIES}."


def _find_wrong_times(settings: Settings) -> Iterator[str]:
    if settings.heartbeat_seconds <= 0 or settings.heartbeat_seconds * 2 > settings.lease_seconds:
        yield "OFFLOAD_HEARTBEAT_SECONDS must be above 0 and at most half of OFFLOAD_LEASE_SECONDS."
    if settings.lease_seconds >= settings.visibility_seconds:
        yield "OFFLOAD_LEASE_SECONDS must be shorter than OFFLOAD_QUEUE_VISIBILITY_SECONDS."
    if settings.deadline_seconds < settings.lease_seconds:
        yield "OFFLOAD_EVENT_DEADLINE_SECONDS must be at least OFFLOAD_LEASE_SECONDS."
    if settings.sweep_seconds < 1:
        yield "OFFLOAD_SWEEP_SECONDS must be at least 1."
    if settings.follow_up_sweep_seconds < 1:
        yield "OFFLOAD_FOLLOW_UP_SWEEP_SECONDS must be at least 1."
    if settings.reconcile_seconds < 1:
        yield "OFFLOAD_RECONCILE_SECONDS must be at least 1."
    if settings.max_failures < 1:
        yield "OFFLOAD_MAX_FAILURES must be at least 1."


def _find_unsafe(settings: Settings) -> Iterator[str]:
    if settings.secret_key and len(settings.secret_key) < SHORTEST_SECRET_KEY:
        yield f"OFFLOAD_SECRET_KEY is too short; set it to at least {SHORTEST_SECRET_KEY} random characters."
    if settings.debug:
        yield "OFFLOAD_DEBUG is on; it shows settings to strangers. Unset it."
    if settings.sandbox:
        yield "OFFLOAD_SANDBOX is on; it would accept mail from anybody. Unset it."
    if settings.webhook_allow_private:
        yield "OFFLOAD_WEBHOOK_ALLOW_PRIVATE is on; a client could reach your own network through a webhook. Unset it."
    if not settings.agentmail_api_key:
        yield "AGENTMAIL_API_KEY is not set; create a key in AgentMail's console and set it."
    if not settings.agentmail_inbox_id:
        yield "AGENTMAIL_INBOX_ID is not set; set it to the address that Offload writes from."
    if not settings.database_url:
        yield "DATABASE_URL is not set; set it to postgres://user:password@host:5432/name."
