"""Looks at our account at AgentMail and judges it; must not change anything there, nor show the key or a secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import Error

from agentmail.account import AgentMailAccount
from agentmail.connecting import Look, look_at_account
from agentmail.subscription import Part, Verdict
from offload.doctor.findings import Finding, fail, ok, warn
from offload.doctor.places import Place
from offload.doctor.services import first_line, judge_clock

NAMES = {Part.KEY: "mail key", Part.INBOX: "mail inbox", Part.WEBHOOK: "mail webhook"}


def check_mail(place: Place, read_clock: Callable[[], datetime]) -> list[Finding]:
    """Returns how key, inbox and webhook stand, and how far AgentMail's clock is from ours."""
    try:
        look = look_at_account(AgentMailAccount.from_settings())
    except Error as error:
        # The stored secret decides whether the webhook's is known.
        return [warn("mail", f"not looked at, for the database does not answer: {first_line(error)}")]
    # Read once AgentMail has told its own: the look may have taken seconds.
    return judge_mail(look, place, read_clock())


def judge_mail(look: Look, place: Place, now: datetime) -> list[Finding]:
    """PURE: a finding for each part of the account, and one for the clock when AgentMail told the time."""
    found = [_judge(verdict, look, place) for verdict in look.judge()]
    if look.account.told_at is not None:
        found.append(judge_clock("mail clock", "AgentMail", look.account.told_at, now))
    return found


def _judge(verdict: Verdict, look: Look, place: Place) -> Finding:
    name = NAMES[verdict.part]
    if not verdict.is_known:
        remedy = "check AGENTMAIL_BASE_URL and the network" if verdict.part is Part.KEY else ""
        return (fail if verdict.part is Part.KEY else warn)(name, verdict.problem, remedy)
    if not verdict.problem:
        return ok(name, _praise(verdict.part, look))
    match verdict.part:
        case Part.KEY:
            remedy = (
                "create a key in AgentMail's console, set AGENTMAIL_API_KEY to it, restart web, worker and beat "
                "(docs/deploy.md#change-a-setting), then"
            )
        case Part.WEBHOOK if not look.wanted.webhook_url:
            remedy = "set OFFLOAD_PUBLIC_URL, then"
        case _:
            remedy = ""
    return fail(name, verdict.problem, remedy, place.manage("connect_agentmail"))


def _praise(part: Part, look: Look) -> str:
    match part:
        case Part.KEY:
            return "AgentMail takes it"
        case Part.INBOX:
            return f"{look.wanted.inbox_id} is there"
        case Part.WEBHOOK:
            return f"enabled, with every event and a known secret, to {look.wanted.webhook_url or 'us'}"
