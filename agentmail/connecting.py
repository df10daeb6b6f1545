"""Connects this installation to its account at AgentMail, and notes how the account stands; must decide nothing itself.

`subscription.py` says what is missing, `account.py` asks AgentMail. No call is made inside a transaction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from agentmail.account import AgentMailAccount
from agentmail.models import AccountCheck, RegisteredWebhook
from agentmail.subscription import (
    Account,
    AccountFault,
    CreateInbox,
    CreateWebhook,
    DeleteWebhook,
    FaultKind,
    Known,
    MendWebhook,
    Step,
    StoreWebhook,
    Verdict,
    Wanted,
    Webhook,
    judge,
    plan_steps,
)

WEBHOOK_PATH = "/agentmail/webhook"


class ConnectionFault(Exception):
    """The account cannot be read or set up; the text is a sentence with its remedy."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the account showed, beside what the installation wants and knows."""

    account: Account
    wanted: Wanted
    known: Known | None
    accepted: frozenset[str]

    def judge(self) -> list[Verdict]:
        """Returns a verdict for each part of the account."""
        return judge(self.account, self.wanted, self.known, self.accepted)


def name_webhook_url() -> str:
    """Returns the URL at which AgentMail reaches our webhook route; "" while OFFLOAD_PUBLIC_URL is not set."""
    if settings.OFFLOAD_PUBLIC_URL:
        return str(settings.OFFLOAD_PUBLIC_URL).rstrip("/") + WEBHOOK_PATH
    return str(settings.OFFLOAD_SANDBOX_WEBHOOK_URL) if settings.OFFLOAD_SANDBOX else ""


def list_stored_secrets() -> list[str]:
    """Returns the secret that `connect_agentmail` stored, if it did; one query by primary key."""
    return list(RegisteredWebhook.objects.filter(pk=1).values_list("secret", flat=True))


def look_at_account(account: AgentMailAccount) -> Look:
    """Returns how the account stands; at most 20 s. Raises django.db.Error, and nothing because of AgentMail."""
    row = RegisteredWebhook.objects.filter(pk=1).first()
    known = Known(row.webhook_id, row.url, row.secret, row.registrations) if row else None
    accepted = {secret.strip() for secret in settings.AGENTMAIL_WEBHOOK_SECRETS} | ({row.secret} if row else set())
    wanted = Wanted(settings.AGENTMAIL_INBOX_ID, name_webhook_url(), settings.OFFLOAD_INSTALL_ID)
    return Look(account.look(wanted.inbox_id), wanted, known, frozenset(accepted))


def note_account(look: Look, now: datetime) -> None:
    """Stores the verdicts for `GET /metrics`; what AgentMail did not tell keeps its last verdict, marked as unknown."""
    with transaction.atomic():
        for verdict in look.judge():
            news = {"is_known": verdict.is_known, "checked_at": now}
            if verdict.is_known:
                news["problem"] = verdict.problem
            AccountCheck.objects.update_or_create(
                part=verdict.part.value, defaults=news, create_defaults={"problem": verdict.problem} | news
            )


def connect(account: AgentMailAccount, now: datetime, *, is_dry_run: bool) -> Iterator[str]:
    """Yields a sentence for each change as it is made, or would be in a dry run; none when all is as it should be.

    A run that ends in the middle is finished by the next one. Raises ConnectionFault, with what was done by then kept.
    """
    look = look_at_account(account)
    if not look.wanted.webhook_url:
        raise ConnectionFault(
            "OFFLOAD_PUBLIC_URL is not set; set it to the address at which AgentMail reaches this installation, "
            "such as https://offload.example.com"
        )
    _refuse_unread(look)
    steps = plan_steps(look.account, look.wanted, look.known, look.accepted)
    for step in steps:
        if not is_dry_run:
            _take(account, step, now)
        yield _describe(step)
    if is_dry_run:
        return
    if steps:
        look = look_at_account(account)
    note_account(look, now)
    for verdict in look.judge():
        if verdict.problem:
            raise ConnectionFault(f"AgentMail took every change, and yet {verdict.problem}. Run this again.")


def _refuse_unread(look: Look) -> None:
    inbox, webhooks = look.account.inbox, look.account.webhooks
    faults = [
        fault for fault in (inbox, webhooks) if isinstance(fault, AccountFault) and fault.kind is not FaultKind.MISSING
    ]
    if isinstance(webhooks, AccountFault) and webhooks not in faults:
        faults.append(webhooks)
    if faults:
        raise ConnectionFault(_explain(faults[0], "read inbox and webhooks"))


def _take(account: AgentMailAccount, step: Step, now: datetime) -> None:
    match step:
        case CreateInbox():
            made = account.create_inbox(step)
            if isinstance(made, str) and made.lower() != f"{step.username}@{step.domain}".lower():
                raise ConnectionFault(
                    f"AgentMail made the inbox {made} instead of the one asked for. Set AGENTMAIL_INBOX_ID={made} "
                    "and run this again, or choose a domain that is verified at AgentMail."
                )
            _require(made, f"create the inbox {step.username}@{step.domain}")
        case CreateWebhook():
            webhook = account.create_webhook(step)
            _require(webhook, f"register the webhook {step.url}")
            if isinstance(webhook, Webhook):
                _store(webhook, now)
        case MendWebhook():
            _require(account.mend_webhook(step), f"mend the webhook {step.webhook_id}")
        case StoreWebhook():
            _store(step.webhook, now)
        case DeleteWebhook():
            _require(account.delete_webhook(step.webhook_id), f"delete the webhook {step.webhook_id}")


def _store(webhook: Webhook, now: datetime) -> None:
    with transaction.atomic():
        row = RegisteredWebhook.objects.select_for_update().filter(pk=1).first()
        count = row.registrations if row else 0
        is_another = row is None or row.webhook_id != webhook.webhook_id
        RegisteredWebhook.objects.update_or_create(
            pk=1,
            defaults={
                "webhook_id": webhook.webhook_id,
                "url": webhook.url,
                "secret": webhook.secret,
                "registrations": count + is_another,
                "registered_at": now,
            },
        )


def _require(result: object, what: str) -> None:
    if isinstance(result, AccountFault):
        raise ConnectionFault(_explain(result, what))


def _explain(fault: AccountFault, what: str) -> str:
    match fault.kind:
        case FaultKind.KEY:
            return (
                f"AgentMail refuses the key ({fault.reason}). Create a key in AgentMail's console, set "
                "AGENTMAIL_API_KEY to it, restart web, worker and beat, and run this again."
            )
        case FaultKind.PERMISSION:
            return (
                f"The key may not {what} ({fault.reason}). In AgentMail's console allow it to, mail labelled as spam, "
                "blocked and unauthenticated included, and run this again."
            )
        case FaultKind.TAKEN:
            return (
                f"AgentMail could not {what}: the address is somebody else's, or the key does not see it "
                f"({fault.reason}). Choose another AGENTMAIL_INBOX_ID."
            )
        case FaultKind.NO_ANSWER:
            return (
                f"AgentMail did not answer when asked to {what}: {fault.reason}. Check AGENTMAIL_BASE_URL and the "
                "network, and run this again: what is done stays done."
            )
        case _:
            return f"AgentMail refused to {what}: {fault.reason}"


def _describe(step: Step) -> str:
    match step:
        case CreateInbox():
            return f"create the inbox {step.username}@{step.domain}"
        case CreateWebhook():
            return f"register the webhook {step.url} and store its secret"
        case MendWebhook():
            parts = ["enable it"] if step.enable else []
            parts += ["set its events"] if step.event_types else []
            parts += [f"add the inbox {step.add_inbox_id}"] if step.add_inbox_id else []
            return f"mend the webhook {step.webhook_id}: {', '.join(parts)}"
        case StoreWebhook():
            return f"store the secret of the webhook {step.webhook.webhook_id}"
        case DeleteWebhook():
            return f"delete the webhook {step.webhook_id}, which leads to {step.url}"
