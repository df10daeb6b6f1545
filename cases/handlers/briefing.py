"""Turns a case and its thread into the one value the agent sees; must not reach the agent with an address or an id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from agentmail.inbound import AutomaticKind
from agentmail.reading import MailMessage
from cases.agent.protocol import AttachmentView, CaseView, HumanAnswer, Persona, Reason, Sender, ThreadMessage
from cases.handlers.seen import UNREADABLE_VARIANTS, is_unproven
from cases.models import Case, InputRequest

# At these anyone can have an address, so sharing the domain says nothing about who writes.
# fmt: off
PUBLIC_MAIL_DOMAINS = frozenset(
    {
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com",
        "ymail.com", "icloud.com", "me.com", "mac.com", "aol.com", "gmx.de", "gmx.net", "gmx.com", "web.de",
        "t-online.de", "orange.fr", "free.fr", "laposte.net", "libero.it", "proton.me", "protonmail.com",
        "pm.me", "fastmail.com", "zoho.com", "mail.com", "mail.ru", "yandex.ru", "yandex.com", "qq.com",
        "163.com", "126.com", "hey.com", "rocketmail.com", "rogers.com", "tutanota.com", "tuta.io", "tuta.com",
        "duck.com", "posteo.de", "posteo.net", "mailbox.org", "freenet.de", "arcor.de", "online.de", "email.de",
        "kabelmail.de", "wanadoo.fr", "sfr.fr", "neuf.fr", "bbox.fr", "virgilio.it", "tiscali.it", "alice.it", "tin.it",
        "telefonica.net", "terra.es", "sapo.pt", "bluewin.ch", "hispeed.ch", "sunrise.ch", "aon.at", "chello.at",
        "skynet.be", "telenet.be", "proximus.be", "ziggo.nl", "kpnmail.nl", "planet.nl", "xs4all.nl", "home.nl",
        "btinternet.com", "btopenworld.com", "virginmedia.com", "ntlworld.com", "sky.com", "talktalk.net",
        "blueyonder.co.uk", "comcast.net", "verizon.net", "att.net", "sbcglobal.net", "bellsouth.net", "cox.net",
        "charter.net", "earthlink.net", "optonline.net", "shaw.ca", "sympatico.ca", "bell.net", "telus.net",
        "bigpond.com", "bigpond.net.au", "optusnet.com.au", "xtra.co.nz", "uol.com.br", "bol.com.br", "terra.com.br",
        "ig.com.br", "rediffmail.com", "naver.com", "daum.net", "hanmail.net", "sina.com", "sohu.com", "foxmail.com",
        "yeah.net", "docomo.ne.jp", "ezweb.ne.jp", "wp.pl", "o2.pl", "onet.pl", "interia.pl", "op.pl", "seznam.cz",
        "centrum.cz", "azet.sk", "abv.bg", "freemail.hu", "citromail.hu", "ukr.net", "bk.ru", "list.ru", "inbox.ru",
        "rambler.ru", "ya.ru", "inbox.lv", "telia.com", "online.no", "mail.dk", "walla.co.il", "simplelogin.com",
    }
)
# These give addresses under the domains of many countries: yahoo.co.uk, hotmail.fr, gmx.at.
_PUBLIC_UNDER_A_COUNTRY = re.compile(r"(yahoo|hotmail|outlook|live|gmx|aol|yandex|zoho)\.((co|com)\.)?[a-z]{2}")
# fmt: on


def compose_view(
    case: Case,
    requests: Sequence[InputRequest],
    messages: Iterable[MailMessage],
    reason: Reason,
    now: datetime,
    *,
    new_message_ids: tuple[str, ...] | None = None,
) -> CaseView:
    """Returns what the agent may know of the case and its questions at `now` (the case's own clock).

    new_message_ids: the mails from people that no evaluation has covered yet; None where nothing is evaluated.
    """
    public, private = _split_knowledge(case.knowledge)
    return CaseView(
        objective=case.objective,
        knowledge=public,
        private_knowledge=private,
        counterparty_name=case.counterparty_name,
        counterparty_company=case.counterparty_company,
        timezone=case.counterparty_timezone,
        custom_data=case.counterparty_custom_data or {},
        persona=Persona(
            name=case.persona_name,
            role=case.persona_role,
            company=case.persona_company,
            tone=case.persona_tone,
        ),
        constraints=tuple(case.constraints or ()),
        result_schema=case.result_schema,
        human_answers=tuple(
            HumanAnswer(question=request.question, answer=request.answer, answered_at=request.resolved_at)
            for request in requests
            if request.answer and request.resolved_at is not None
        ),
        open_question=next((r.question for r in requests if r.status == InputRequest.PENDING), None),
        thread=tuple(
            _view_message(message, case) for message in messages if message.variant not in UNREADABLE_VARIANTS
        ),
        follow_ups_sent=case.follow_ups_sent,
        max_attempts=case.max_attempts,
        snoozes_in_a_row=case.snoozes_in_a_row,
        reason=reason,
        now=now,
        new_message_ids=new_message_ids,
    )


def _split_knowledge(knowledge: Any) -> tuple[Any, Any]:
    """The member `private` informs judgement and never leaves in a mail (docs/api/create-a-case.md)."""
    if not isinstance(knowledge, dict) or "private" not in knowledge:
        return knowledge, None
    public = {name: value for name, value in knowledge.items() if name != "private"}
    return public or None, knowledge["private"]


def _view_message(message: MailMessage, case: Case) -> ThreadMessage:
    return ThreadMessage(
        message_id=message.message_id,
        sender=_name_side(message, case),
        sender_name=message.from_name or case.counterparty_name,
        sent_at=case.get_time_of(message.sent_at),
        subject=message.subject,
        text=message.text,
        is_automatic=message.automatic != AutomaticKind.NONE,
        automatic_kind=message.automatic.value,
        attachments=tuple(
            AttachmentView(
                name=attachment.filename,
                content_type=attachment.content_type,
                size=attachment.size,
                message_id=message.message_id,
            )
            for attachment in message.attachments
        ),
    )


def _name_side(message: MailMessage, case: Case) -> Sender:
    if message.direction == "outbound":
        return "us"
    if is_unproven(message):
        # Anybody can write any sender: without proof it is nobody's word but a stranger's.
        return "other"
    return "counterparty" if is_counterparty(message.from_address, case.counterparty_address) else "other"


def is_counterparty(sender: str, counterparty: str) -> bool:
    """Whether a sender speaks for the counterparty: the same address, or the same company's domain."""
    sender, counterparty = sender.casefold(), counterparty.casefold()
    if sender == counterparty:
        return True
    domain = counterparty.rpartition("@")[2]
    return sender.rpartition("@")[2] == domain and not _is_public(domain)


def _is_public(domain: str) -> bool:
    return domain in PUBLIC_MAIL_DOMAINS or bool(_PUBLIC_UNDER_A_COUNTRY.fullmatch(domain))
