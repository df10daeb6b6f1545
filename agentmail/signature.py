"""PURE: tells whether a webhook really comes from AgentMail; must not read the clock or the settings."""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

TOLERANCE_S = 300

_SECONDS = re.compile(r"[0-9]{1,12}")


class WebhookRefused(Exception):
    """The webhook is not proven to be AgentMail's. `is_our_fault` says that the settings make any proof impossible."""

    def __init__(self, reason: str, *, is_our_fault: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_our_fault = is_our_fault


def verify_webhook(raw_body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> str:
    """Returns the id of the delivery, the same at every repeat of it, once one of the secrets proves the signature.

    Takes the header names of Svix (`svix-id`) and of Standard Webhooks (`webhook-id`), one family at a time.
    The timestamp may be off by 300 s either way. Raises WebhookRefused for everything else; nothing else leaves
    this function, because the libraries raise five other exceptions on hostile headers.
    """
    if not any(secret.strip() for secret in secrets):
        raise WebhookRefused(
            "AGENTMAIL_WEBHOOK_SECRETS is empty and no secret is stored; run: manage.py connect_agentmail",
            is_our_fault=True,
        )
    delivery_id, seconds, signatures = _read_headers(headers)
    sent_at = _read_timestamp(seconds, now)
    try:
        body = raw_body.decode()
    except UnicodeDecodeError:
        raise WebhookRefused("The body is not UTF-8.") from None
    broken = 0
    for secret in secrets:
        try:
            expected = Webhook(secret.strip()).sign(delivery_id, sent_at, body)
        except Exception:  # a wrong secret must not keep the other one, during a rotation, from working
            broken += 1
            continue
        if any(hmac.compare_digest(expected.encode(), given.encode()) for given in signatures):
            return delivery_id
    if broken == len(secrets):
        raise WebhookRefused(
            "No secret in AGENTMAIL_WEBHOOK_SECRETS is a whsec_ secret; copy it from AgentMail's webhook.",
            is_our_fault=True,
        )
    raise WebhookRefused("No signature matches.")


def _read_headers(headers: Mapping[str, str]) -> tuple[str, str, list[str]]:
    lowered = {name.lower(): value for name, value in headers.items()}
    family = "svix" if "svix-id" in lowered else "webhook"
    delivery_id = lowered.get(f"{family}-id", "").strip()
    seconds = lowered.get(f"{family}-timestamp", "").strip()
    signatures = lowered.get(f"{family}-signature", "").split()
    if not (delivery_id and seconds and signatures):
        raise WebhookRefused("A signature header is missing.")
    if not (delivery_id + "".join(signatures)).isascii():
        raise WebhookRefused("A signature header is not ASCII.")
    return delivery_id, seconds, signatures


def _read_timestamp(seconds: str, now: datetime) -> datetime:
    if not _SECONDS.fullmatch(seconds):
        raise WebhookRefused("The timestamp is not a number of seconds.")
    if abs(now.timestamp() - int(seconds)) > TOLERANCE_S:
        raise WebhookRefused("The timestamp is too old or lies too far ahead.")
    return datetime.fromtimestamp(int(seconds), UTC)
