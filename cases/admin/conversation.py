"""The mails of one case as its page shows them; must not change anything or ask the mail provider."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentmail.inbound import find_dmarc
from agentmail.viewing import MailPage, MailPlace, ViewedMail, view_mail_page
from cases.admin import words
from cases.admin.plain import reveal_line, reveal_text
from cases.agent.text import MAX_CHARS, MAX_LINE_CHARS, MAX_LINES, split_quoted
from cases.models import Case

# So many of the newest page's mails stand open; of the others the first words are shown.
OPEN_MAILS = 6
_SNIPPET_CHARS = 90
# What mail programs put before the subject of an answer, in the languages of quoted mail.
_ANSWER_MARK = re.compile(r"^\s*((re|aw|antw|sv|fwd?|wg|tr|rv)\s*:\s*)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a mail; `pk` names the row that it can be fetched by, None when there is no such row."""

    name: str
    pk: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Message:
    """One mail of the transcript; `quoted` is what it repeats of earlier ones. `subject` is "" where it goes on."""

    mail_id: UUID
    is_ours: bool
    sender: str
    address: str
    recipients: str
    sent_at: datetime
    subject: str
    fresh: str
    quoted: str
    snippet: str
    note: str
    is_stranger: bool
    is_cut: bool
    has_html: bool
    is_open: bool
    files: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Who wrote a mail and when, in words, and where on the case's page it stands, such as "?mails=2#mail-…"."""

    name: str
    link: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """One page of a case's mails, oldest first; `earlier` and `later` are the pages beside it, 0 for none."""

    messages: tuple[Message, ...]
    total: int
    earlier: int
    later: int
    earlier_count: int
    later_count: int
    sources: Mapping[str, Source]


def show_conversation(case: Case, page_number: int) -> Conversation:
    """Returns that page of the case's mails, 1 for the newest; seven queries at most, however long the thread is."""
    page = view_mail_page(case.id, page_number)
    places = {place.message_id: place for place in page.places}
    return Conversation(
        messages=_show_messages(case, page),
        total=len(page.places),
        earlier=page.number + 1 if page.number < page.page_count else 0,
        later=page.number - 1,
        earlier_count=sum(place.page > page.number for place in page.places),
        later_count=sum(place.page < page.number for place in page.places),
        sources={message_id: _name_source(place, case, page.number) for message_id, place in places.items()},
    )


def fold_quoted(text: str) -> tuple[str, str]:
    """Returns (own words, quoted mail); a text beyond the splitter's caps stays whole, because it drops the rest."""
    lines = text.split("\n")
    if len(text) > MAX_CHARS or len(lines) > MAX_LINES or any(len(line) > MAX_LINE_CHARS for line in lines):
        return text.strip(), ""
    fresh, quoted = split_quoted(text)
    return fresh.strip(), quoted.strip("\n")


def name_sender(place: MailPlace, case: Case) -> str:
    """Returns who a mail is from, by name where there is one."""
    return reveal_line(case.persona_name if place.is_ours else place.from_name or place.from_address)


def _name_source(place: MailPlace, case: Case, shown_page: int) -> Source:
    query = "" if place.page == shown_page else f"?mails={place.page}"
    return Source(f"{name_sender(place, case)}, {words.format_time(place.sent_at)}", f"{query}#mail-{place.mail_id}")


def _show_messages(case: Case, page: MailPage) -> tuple[Message, ...]:
    ids = [mail.place.message_id for mail in page.mails]
    stored = case.attachments.filter(message_id__in=ids).values_list("message_id", "attachment_id", "pk")
    rows = {(message_id, attachment_id): pk for message_id, attachment_id, pk in stored}
    shown = []
    subject = None
    for index, mail in enumerate(page.mails):
        bare = _ANSWER_MARK.sub("", mail.subject).strip()
        is_open = page.number > 1 or index >= len(page.mails) - OPEN_MAILS
        shown.append(_show_message(mail, case, rows, has_new_subject=bare != subject, is_open=is_open))
        subject = bare
    return tuple(shown)


def _show_message(
    mail: ViewedMail, case: Case, rows: Mapping[tuple[str, str], int], *, has_new_subject: bool, is_open: bool
) -> Message:
    place = mail.place
    fresh, quoted = fold_quoted(mail.own)
    quoted = "\n\n".join(part for part in (quoted, mail.rest) if part)
    return Message(
        mail_id=place.mail_id,
        is_ours=place.is_ours,
        sender=name_sender(place, case),
        address=reveal_line(place.from_address),
        recipients=", ".join(reveal_line(address) for address in mail.to),
        sent_at=place.sent_at,
        subject=reveal_line(mail.subject) if has_new_subject else "",
        fresh=reveal_text(fresh),
        quoted=reveal_text(quoted),
        snippet=_take_first_words(reveal_text(fresh)),
        note=words.describe_mail(mail.automatic, mail.variant, find_dmarc(mail.authentication)),
        is_stranger=not place.is_ours and place.from_address.casefold() != case.counterparty_address.casefold(),
        is_cut=mail.is_cut,
        has_html=mail.has_html,
        is_open=is_open,
        files=tuple(_list_files(mail, rows)),
    )


def _list_files(mail: ViewedMail, rows: Mapping[tuple[str, str], int]) -> Iterable[File]:
    for item in mail.attachments:
        pk = rows.get((mail.place.message_id, item.attachment_id))
        yield File(reveal_line(item.filename or "attachment"), pk, item.size)


def _take_first_words(text: str) -> str:
    line = " ".join(text[: 4 * _SNIPPET_CHARS].split())
    return line if len(line) <= _SNIPPET_CHARS else f"{line[: _SNIPPET_CHARS - 1].rstrip()}…"
