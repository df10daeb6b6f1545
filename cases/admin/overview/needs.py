"""What waits for a person, each row with the link that leads to doing it; must not count rows to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.text import Truncator

from agentmail.models import InboundEmail, OutboundEmail
from agentmail.outcomes import MailState
from cases.admin import plain, queues, words
from cases.admin.list_filters import StateFilter
from cases.models import InputRequest
from cases.paging import count_up_to, write_count
from cases.teamwork import find_answering
from webhooks.models import UNDELIVERED_STATES, Delivery

User = AbstractBaseUser | AnonymousUser

# Rows that a queue shows; its list has the rest.
SHOWN = 5
# A mail leaves within seconds. One that stands this long is held by something.
HELD_AFTER = timedelta(minutes=15)
UNSETTLED = (MailState.FROZEN.value, MailState.SENDING.value, MailState.UNKNOWN.value)
# What is older has been seen, or nobody will miss it.
WEBHOOK_DAYS = 7
MAIL_DAYS = 7


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row: what it is, about whom, since when, and what a press of `verb` opens."""

    title: str
    about: str
    since: datetime
    waited: str
    url: str
    verb: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """One kind of work. `count` is as people read it, "0" for none; `rows` are the first of it."""

    key: str
    heading: str
    count: str
    rows: tuple[Waiting, ...]
    list_url: str
    list_label: str
    nothing: str

    @property
    def is_waiting(self) -> bool:
        return self.count != "0"


def gather_queues(user: Any, now: datetime) -> list[Queue]:
    """Returns the queues that the user may see, in order of urgency; two or three bounded queries each."""
    makers: Iterable[tuple[str, Callable[[Any, datetime], Queue]]] = (
        ("cases.view_case", _questions),
        ("cases.view_case", _dead_steps),
        ("agentmail.view_outboundemail", _held_mail),
        ("webhooks.view_delivery", _failed_webhooks),
        ("agentmail.view_inboundemail", _unmatched_mail),
    )
    return [make(user, now) for permission, make in makers if user.has_perm(permission)]


def _questions(user: Any, now: datetime) -> Queue:
    waiting = InputRequest.objects.filter(status=InputRequest.PENDING, case__status=queues.NEEDS_ANSWER)
    may_answer, me = user.has_perm("cases.answer_case"), user.get_username()
    rows = waiting.select_related("case").only(
        "question",
        "status",
        "requested_at",
        "answering_by",
        "answering_at",
        "case__counterparty_name",
        "case__clock_offset",
    )
    return Queue(
        key="questions",
        heading="Questions",
        count=_count(waiting),
        rows=tuple(
            Waiting(
                title=Truncator(request.question).chars(140),
                about=plain.reveal_line(request.case.counterparty_name),
                since=request.requested_at,
                # A question is asked on its case's own clock.
                waited=words.describe_wait(request.case.get_now(now) - request.requested_at),
                url=f"{_case_url(request.case_id)}#question",
                verb="Answer" if may_answer else "Read",
                note=f"{other.by} is answering" if (other := find_answering(request, besides=me, now=now)) else "",
            )
            for request in rows.order_by("requested_at")[:SHOWN]
        ),
        list_url=f"{_list_url('cases_case')}?{StateFilter.parameter_name}={queues.NEEDS_ANSWER}",
        list_label="All questions",
        nothing="Nobody waits for an answer.",
    )


def _dead_steps(_user: Any, now: datetime) -> Queue:
    return Queue(
        key="dead",
        heading="Steps given up",
        count=write_count(queues.count_stuck(), queues.VIEW_CAP),
        rows=tuple(
            Waiting(
                title=step.title,
                about=plain.reveal_line(step.counterparty_name),
                since=step.died_at,
                waited=f"given up {words.describe_age(now - step.died_at)}",
                url=_case_url(step.case_id),
                verb="Look",
                note=Truncator(step.reason).chars(140)
                + f" Unless somebody acts, the case ends {words.format_time(step.ends_at)}.",
            )
            for step in queues.list_dead_steps(SHOWN)
        ),
        list_url=f"{_list_url('cases_case')}?{StateFilter.parameter_name}={queues.STUCK}",
        list_label="All stuck cases",
        nothing="Every step goes on.",
    )


def _held_mail(user: Any, now: datetime) -> Queue:
    held = choose_held(OutboundEmail.objects.all(), now)
    return Queue(
        key="held",
        heading="Mail that does not leave",
        count=_count(held),
        rows=tuple(
            Waiting(
                title=plain.reveal_line(mail.subject) or "Mail without a subject",
                about=plain.reveal_line(mail.to_address),
                since=mail.frozen_at,
                waited=words.describe_wait(now - mail.frozen_at),
                url=_case_url(mail.owner)
                if user.has_perm("cases.view_case")
                else _row_url("agentmail_outboundemail", mail.pk),
                verb="Look",
                note=Truncator(mail.last_error).chars(140) or "It was not tried yet: is a worker running?",
            )
            for mail in held.defer("text", "payload").order_by("frozen_at")[:SHOWN]
        ),
        list_url=f"{_list_url('agentmail_outboundemail')}?held=1",
        list_label="All mail that is held",
        nothing="Every mail has left.",
    )


def choose_held(mails: QuerySet[OutboundEmail], now: datetime) -> QuerySet[OutboundEmail]:
    """Returns the mail that should have left by `now` and is not known to have."""
    return mails.filter(state__in=UNSETTLED, frozen_at__lt=now - HELD_AFTER)


def _failed_webhooks(_user: Any, now: datetime) -> Queue:
    failed = Delivery.objects.filter(state__in=UNDELIVERED_STATES, finished_at__gte=now - timedelta(days=WEBHOOK_DAYS))
    return Queue(
        key="webhooks",
        heading="Webhooks that failed",
        count=_count(failed),
        rows=tuple(
            Waiting(
                title=delivery.event_type,
                about=delivery.url_host,
                since=delivery.finished_at or delivery.created_at,
                waited=words.describe_age(now - (delivery.finished_at or delivery.created_at)),
                url=_row_url("webhooks_delivery", delivery.pk),
                verb="Look",
                note=Truncator(delivery.last_error).chars(140),
            )
            for delivery in failed.defer("body").order_by("-finished_at")[:SHOWN]
        ),
        list_url=f"{_list_url('webhooks_delivery')}?state__exact=failed",
        list_label="All failed webhooks",
        nothing=f"None failed in the last {WEBHOOK_DAYS} days.",
    )


def _unmatched_mail(_user: Any, now: datetime) -> Queue:
    lost = InboundEmail.objects.filter(owner__isnull=True, received_at__gte=now - timedelta(days=MAIL_DAYS))
    return Queue(
        key="unmatched",
        heading="Mail that belongs to no case",
        count=_count(lost),
        rows=tuple(
            Waiting(
                title=plain.reveal_line(mail.subject) or "Mail without a subject",
                about=plain.reveal_line(mail.from_address),
                since=mail.received_at,
                waited=words.describe_age(now - mail.received_at),
                url=_row_url("agentmail_inboundemail", mail.pk),
                verb="Read",
            )
            for mail in lost.only("subject", "from_address", "received_at").order_by("received_at")[:SHOWN]
        ),
        list_url=f"{_list_url('agentmail_inboundemail')}?owner__isempty=1",
        list_label="All mail without a case",
        nothing=f"All mail of the last {MAIL_DAYS} days found its case.",
    )


def _count(rows: QuerySet[Any]) -> str:
    return write_count(count_up_to(rows, queues.VIEW_CAP), queues.VIEW_CAP)


def _list_url(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


def _row_url(name: str, pk: Any) -> str:
    return reverse(f"admin:{name}_change", args=[pk])


def _case_url(case_id: Any) -> str:
    return _row_url("cases_case", case_id)
