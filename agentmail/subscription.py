"""PURE: what Offload needs of its account at AgentMail, and the steps that are missing; must not call anything.

The account is one inbox and one webhook that reports it to us. AgentMail tells spam, blocked and unauthenticated mail
only to a webhook that names these events, and cannot change a webhook's URL: one with another URL is another webhook.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

EVENT_TYPES = (
    "message.received",
    "message.received.spam",
    "message.received.blocked",
    "message.received.unauthenticated",
    "message.bounced",
    "message.complained",
    "message.rejected",
)


class Part(StrEnum):
    """What of the account has to be right."""

    KEY = "key"
    INBOX = "inbox"
    WEBHOOK = "webhook"


class FaultKind(StrEnum):
    """Why the account could not be read or changed."""

    KEY = "key"  # the key is not taken: revoked, mistyped, of another region
    PERMISSION = "permission"  # the key is known and may not do this
    MISSING = "missing"  # there is no such thing, or the key does not see it
    TAKEN = "taken"  # somebody else has it
    REFUSED = "refused"  # the request itself is not acceptable
    NO_ANSWER = "no answer"  # nothing is known; worth another try


@dataclass(frozen=True, slots=True)
class AccountFault:
    """A call that did not bring what it asked for; `reason` is one line without secrets."""

    kind: FaultKind
    reason: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as AgentMail describes it. Without `inbox_ids` it reports every inbox."""

    webhook_id: str
    url: str
    secret: str
    is_enabled: bool
    event_types: tuple[str, ...]
    inbox_ids: tuple[str, ...]

    def covers(self, inbox_id: str) -> bool:
        """Returns whether it reports this inbox."""
        return not self.inbox_ids or inbox_id.lower() in {each.lower() for each in self.inbox_ids}


@dataclass(frozen=True, slots=True)
class Account:
    """What a look at AgentMail showed. `inbox` is None when it is there; `told_at` is AgentMail's own clock."""

    inbox: AccountFault | None
    webhooks: tuple[Webhook, ...] | AccountFault
    told_at: datetime | None

    @property
    def key_fault(self) -> AccountFault | None:
        """The key's own fault, None when it was accepted or nobody answered."""
        faults = (self.inbox, self.webhooks if isinstance(self.webhooks, AccountFault) else None)
        return next((fault for fault in faults if fault is not None and fault.kind is FaultKind.KEY), None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings ask for: the inbox, the URL of our webhook route ("": not told), this installation's name."""

    inbox_id: str
    webhook_url: str
    install_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """The webhook that this installation registered last, and how many it has registered."""

    webhook_id: str
    webhook_url: str
    secret: str
    registrations: int


@dataclass(frozen=True, slots=True)
class CreateInbox:
    """`client_id` makes a repeat answer with the first one's inbox."""

    username: str
    domain: str
    client_id: str


@dataclass(frozen=True, slots=True)
class CreateWebhook:
    """As above; AgentMail answers with the secret."""

    url: str
    inbox_id: str
    client_id: str


@dataclass(frozen=True, slots=True)
class MendWebhook:
    """What of it differs; an empty member stays as it is. `event_types` replaces the whole list."""

    webhook_id: str
    enable: bool
    event_types: tuple[str, ...]
    add_inbox_id: str


@dataclass(frozen=True, slots=True)
class StoreWebhook:
    """Its secret is not known here yet."""

    webhook: Webhook


@dataclass(frozen=True, slots=True)
class DeleteWebhook:
    """One of ours that leads to an address we have left."""

    webhook_id: str
    url: str


Step = CreateInbox | CreateWebhook | MendWebhook | StoreWebhook | DeleteWebhook


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one part of the account was found. `problem` is "" when it is as it should be; unknown is no verdict."""

    part: Part
    problem: str
    is_known: bool = True


def judge(account: Account, wanted: Wanted, known: Known | None, accepted: Collection[str]) -> list[Verdict]:
    """Returns a verdict for each part; `accepted` are the secrets that prove a webhook today."""
    refused = account.key_fault
    if refused is not None:
        unseen = "not to be seen without a key that AgentMail takes"
        key = Verdict(Part.KEY, f"AgentMail refuses the key ({refused.reason})")
        return [key, Verdict(Part.INBOX, unseen, is_known=False), Verdict(Part.WEBHOOK, unseen, is_known=False)]
    inbox, webhooks = account.inbox, account.webhooks
    if inbox is not None and inbox.kind is FaultKind.NO_ANSWER:
        return [Verdict(part, f"AgentMail did not answer: {inbox.reason}", is_known=False) for part in Part]
    found = [Verdict(Part.KEY, "")]
    if inbox is None:
        found.append(Verdict(Part.INBOX, ""))
    elif inbox.kind is FaultKind.MISSING:
        found.append(Verdict(Part.INBOX, f"there is no inbox {wanted.inbox_id}, or the key does not see it"))
    else:
        found.append(Verdict(Part.INBOX, f"the inbox {wanted.inbox_id} cannot be read ({inbox.reason})"))
    if isinstance(webhooks, AccountFault):
        is_known = webhooks.kind is not FaultKind.NO_ANSWER
        return [*found, Verdict(Part.WEBHOOK, f"the webhooks cannot be read ({webhooks.reason})", is_known)]
    return [*found, Verdict(Part.WEBHOOK, _judge_webhooks(webhooks, wanted, known, accepted))]


def _judge_webhooks(webhooks: Sequence[Webhook], wanted: Wanted, known: Known | None, accepted: Collection[str]) -> str:
    ours = find_ours(webhooks, wanted, known, accepted)
    if ours is None and not wanted.webhook_url:
        return "no webhook has a secret that is known here"
    if ours is None:
        return f"no webhook leads to {wanted.webhook_url}"
    problems = list_problems(ours, wanted.inbox_id)
    if ours.secret not in accepted:
        problems.append("its secret is not known here, so that every webhook is refused")
    return f"the webhook {ours.webhook_id} does not work: {', and '.join(problems)}" if problems else ""


def find_ours(
    webhooks: Sequence[Webhook], wanted: Wanted, known: Known | None, accepted: Collection[str]
) -> Webhook | None:
    """Returns the webhook that leads to our route, the one we registered before any other; None without one.

    While nobody has said what our URL is, it is one whose secret is known here.
    """
    if not wanted.webhook_url:
        return next((webhook for webhook in webhooks if webhook.secret in accepted), None)
    ours = [webhook for webhook in webhooks if webhook.url == wanted.webhook_url]
    registered = [webhook for webhook in ours if known is not None and webhook.webhook_id == known.webhook_id]
    return next(iter(registered or ours), None)


def list_problems(webhook: Webhook, inbox_id: str) -> list[str]:
    """Returns in words why it does not report all that it should; an empty list means that it does."""
    problems = []
    if not webhook.is_enabled:
        problems.append("it is disabled")
    if missing := [name for name in EVENT_TYPES if name not in webhook.event_types]:
        problems.append(f"it does not report {', '.join(missing)}")
    if not webhook.covers(inbox_id):
        problems.append(f"it does not report the inbox {inbox_id}")
    return problems


def plan_steps(account: Account, wanted: Wanted, known: Known | None, accepted: Collection[str]) -> list[Step]:
    """Returns what is left to do, in order; an empty list when all is as it should be.

    `accepted` are the secrets that prove a webhook today. A new webhook is registered before the old one is deleted,
    so that no mail goes unreported between the two. The account must have been read without a fault, but for an
    inbox that is missing.
    """
    steps: list[Step] = []
    if account.inbox is not None:
        username, _, domain = wanted.inbox_id.partition("@")
        steps.append(CreateInbox(username, domain, _name(wanted, "inbox", wanted.inbox_id.lower())))
    webhooks = () if isinstance(account.webhooks, AccountFault) else account.webhooks
    ours = find_ours(webhooks, wanted, known, accepted)
    if ours is None:
        # Counted, because the provider may answer a name it knows with the webhook that somebody deleted since.
        count = known.registrations if known else 0
        name = _name(wanted, f"webhook-{count + 1}", wanted.webhook_url)
        steps.append(CreateWebhook(wanted.webhook_url, wanted.inbox_id, name))
    else:
        steps += _mend(ours, wanted.inbox_id)
        if ours.secret not in accepted:
            steps.append(StoreWebhook(ours))
    if known and known.webhook_url != wanted.webhook_url:
        left = next((webhook for webhook in webhooks if webhook.webhook_id == known.webhook_id), None)
        steps += [DeleteWebhook(left.webhook_id, left.url)] if left else []
    return steps


def _mend(webhook: Webhook, inbox_id: str) -> list[Step]:
    if not list_problems(webhook, inbox_id):
        return []
    missing = [name for name in EVENT_TYPES if name not in webhook.event_types]
    return [
        MendWebhook(
            webhook.webhook_id,
            enable=not webhook.is_enabled,
            event_types=(*webhook.event_types, *missing) if missing else (),
            add_inbox_id="" if webhook.covers(inbox_id) else inbox_id,
        )
    ]


def _name(wanted: Wanted, what: str, subject: str) -> str:
    # At most 256 characters of A-Z a-z 0-9 - . _ ~, as the install id is; no @.
    return f"offload.{wanted.install_id}.{what}.{sha256(subject.encode()).hexdigest()[:16]}"
