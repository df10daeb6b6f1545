"""What people look at of one owner's mail in our own tables: a page of it, and one mail; must not ask the provider.

An owner may have any number of mails of any size, so a page costs the same few queries whatever is behind it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Left

from agentmail.automatic import AutomaticKind
from agentmail.inbound import AttachmentInfo, Variant, choose_text
from agentmail.models import InboundEmail, OutboundEmail

PAGE_SIZE = 25
# Of a longer text the beginning is shown; who needs the rest has the original.
SHOWN_CHARS = 60_000


@dataclass(frozen=True, slots=True)
class MailPlace:
    """Where one mail stands: who wrote it, when (aware), and on which page; page 1 is the newest."""

    mail_id: UUID
    message_id: str
    is_ours: bool
    from_name: str
    from_address: str
    sent_at: datetime
    page: int = 1


@dataclass(frozen=True, slots=True)
class ViewedMail:
    """One mail as people read it: `own` is what its writer wrote, `rest` what else its text holds, mostly quotes."""

    place: MailPlace
    to: tuple[str, ...]
    subject: str
    own: str
    rest: str
    is_cut: bool
    has_html: bool
    automatic: AutomaticKind = AutomaticKind.NONE
    variant: Variant = Variant.NONE
    attachments: tuple[AttachmentInfo, ...] = ()
    authentication: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MailPage:
    """One page of a conversation, oldest mail first, and where every mail of it stands."""

    mails: tuple[ViewedMail, ...]
    number: int
    page_count: int
    places: tuple[MailPlace, ...]


def view_mail_page(owner: UUID, number: int = 1) -> MailPage:
    """Returns the page with that number, 1 for the newest; the nearest one when there is none. Five queries at most."""
    places = _list_places(owner)
    page_count = max(1, -(-len(places) // PAGE_SIZE))
    number = min(max(number, 1), page_count)
    chosen = [place for place in places if place.page == number]
    return MailPage(_view(chosen), number, page_count, places)


def find_mail(owner: UUID, mail_id: UUID) -> InboundEmail | OutboundEmail | None:
    """Returns a mail of that owner, theirs or one of ours that the provider has accepted; None for any other."""
    received = InboundEmail.objects.filter(owner=owner, pk=mail_id).first()
    return received or OutboundEmail.objects.filter(owner=owner, pk=mail_id).exclude(message_id="").first()


def _list_places(owner: UUID) -> tuple[MailPlace, ...]:
    """Returns where the owner's mails stand, oldest first, as `mailbox.list_mail` counts and orders them."""
    ours = OutboundEmail.objects.filter(owner=owner).exclude(message_id="")
    theirs = InboundEmail.objects.filter(owner=owner)
    places = [
        MailPlace(pk, message_id, True, "", inbox_id, first or sent or frozen)
        for pk, message_id, inbox_id, first, sent, frozen in ours.values_list(
            "pk", "message_id", "inbox_id", "first_attempt_at", "sent_at", "frozen_at"
        )
    ]
    known = {place.message_id for place in places}
    for pk, message_id, name, address, sent, received, automatic in theirs.values_list(
        "pk", "message_id", "from_name", "from_address", "sent_at", "received_at", "automatic"
    ):
        is_echo = automatic == AutomaticKind.OWN_ADDRESS
        if not (is_echo and message_id in known):
            # The sender's clock may be ahead; nothing was sent after it arrived.
            places.append(MailPlace(pk, message_id, is_echo, name, address, min(sent or received, received)))
    places.sort(key=lambda place: (place.sent_at, place.message_id))
    return tuple(replace(place, page=-(-(len(places) - index) // PAGE_SIZE)) for index, place in enumerate(places))


def _view(places: list[MailPlace]) -> tuple[ViewedMail, ...]:
    ids = [place.mail_id for place in places]
    sent = OutboundEmail.objects.filter(pk__in=ids).annotate(shown=Left("text", SHOWN_CHARS + 1))
    ours = {mail.pk: mail for mail in sent.only("to_address", "subject")}
    received = InboundEmail.objects.filter(pk__in=ids).annotate(
        shown=Left("text", SHOWN_CHARS + 1), shown_extract=Left("extracted_text", SHOWN_CHARS + 1), is_html=~Q(html="")
    )
    kept = ("to", "subject", "automatic", "variant", "attachments", "authentication")
    theirs = {mail.pk: mail for mail in received.only(*kept)}
    bare = [pk for pk, mail in theirs.items() if mail.is_html and not (mail.shown + mail.shown_extract).strip()]
    markup = dict(InboundEmail.objects.filter(pk__in=bare).values_list("pk", "html")) if bare else {}
    return tuple(
        _view_ours(place, ours[place.mail_id])
        if place.mail_id in ours
        else _view_theirs(place, theirs[place.mail_id], markup.get(place.mail_id, ""))
        for place in places
    )


def _view_ours(place: MailPlace, mail: Any) -> ViewedMail:
    return ViewedMail(
        place=place,
        to=(mail.to_address,),
        subject=mail.subject,
        own=mail.shown[:SHOWN_CHARS],
        rest="",
        is_cut=len(mail.shown) > SHOWN_CHARS,
        has_html=False,
    )


def _view_theirs(place: MailPlace, mail: Any, markup: str) -> ViewedMail:
    own = choose_text(mail.shown_extract, mail.shown, markup)
    return ViewedMail(
        place=place,
        to=tuple(mail.to),
        subject=mail.subject,
        own=own[:SHOWN_CHARS],
        rest=find_rest(mail.shown[:SHOWN_CHARS], own),
        is_cut=max(len(own), len(mail.shown)) > SHOWN_CHARS,
        has_html=mail.is_html,
        automatic=AutomaticKind(mail.automatic),
        variant=Variant(mail.variant),
        attachments=tuple(AttachmentInfo(**attachment) for attachment in mail.attachments),
        authentication=mail.authentication,
    )


def find_rest(whole: str, own: str) -> str:
    """Returns what a mail's text holds beside its writer's own words; all of it when those do not stand in it."""
    whole, own = (text.replace("\r\n", "\n").strip() for text in (whole, own))
    if not whole or whole == own:
        return ""
    before, found, after = whole.partition(own)
    return "\n".join(part.strip("\n") for part in (before, after) if part.strip()) if found else whole
