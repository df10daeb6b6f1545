"""How staff keep out of each other's way: who is answering a question, and notes; no client ever sees either."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from cases.models import CaseNote, InputRequest
from cases.transitions import lock_case

# Who opened the form longer ago than this has gone for lunch.
ANSWERING_LASTS = timedelta(minutes=15)
LONGEST_NOTE = 10_000


class EmptyNote(ValueError):
    """A note says nothing, or more than `LONGEST_NOTE` characters."""


@dataclass(frozen=True, slots=True)
class Answering:
    """Who has a question's form open; `since` is on the real clock."""

    by: str
    since: datetime


def start_answering(input_request_id: UUID, *, by: str, now: datetime) -> Answering | None:
    """Notes that `by` has begun to answer, and returns who else had begun within a quarter of an hour, or None.

    It locks nothing: the other one's answer still counts if it comes first. A question that has its answer, and one
    that nobody knows, stay as they are. Who begins again, or takes over, stands as the one who answers.
    """
    with transaction.atomic():
        question = InputRequest.objects.select_for_update().filter(pk=input_request_id).first()
        if question is None or question.status != InputRequest.PENDING:
            return None
        other = find_answering(question, besides=by, now=now)
        question.answering_by, question.answering_at = by[:200], now
        question.save(update_fields=["answering_by", "answering_at"])
    return other


def find_answering(question: InputRequest, *, besides: str, now: datetime) -> Answering | None:
    """Returns who but `besides` began to answer an open question within a quarter of an hour, or None."""
    is_open = question.status == InputRequest.PENDING and question.answering_at is not None
    if not is_open or question.answering_by in ("", besides[:200]) or question.answering_at is None:
        return None
    if question.answering_at < now - ANSWERING_LASTS:
        return None
    return Answering(question.answering_by, question.answering_at)


def add_note(case_id: UUID, body: str, *, author: str, now: datetime) -> CaseNote:
    """Stores a note of staff on a case, at any time of its life; the same words again within a minute are one note.

    Raises EmptyNote. A note changes nothing about the case, not even `updated_at`.
    """
    text = body.replace("\x00", "").strip()
    if not text or len(text) > LONGEST_NOTE:
        raise EmptyNote(f"note: write between 1 and {LONGEST_NOTE:,} characters.")
    with transaction.atomic():
        # Or the two requests of a double click would not see each other's note.
        lock_case(case_id)
        newest = CaseNote.objects.filter(case_id=case_id, author=author[:200]).order_by("-id").first()
        if newest is not None and newest.body == text and newest.created_at > now - timedelta(minutes=1):
            return newest
        return CaseNote.objects.create(case_id=case_id, author=author[:200], body=text, created_at=now)
