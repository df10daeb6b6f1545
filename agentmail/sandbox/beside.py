"""What the product shows on the mailbox's pages; must not know the product, whose routes hand this in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True)
class Note:
    """One chip beside a conversation; `tone` is act, bad, good or calm."""

    text: str
    tone: str


@dataclass(frozen=True)
class Beside:
    """What to show beside the mail. The HTML is drawn by templates, so what strangers wrote is escaped in it."""

    # HTML of the forms that open a first case.
    show_start: Callable[[HttpRequest], str]
    # HTML of what the case of a thread does, and of the forms that let its time pass; "" when no case knows the thread.
    show_case: Callable[[HttpRequest, str], str]
    # By thread id, for those of the given threads that belong to a case.
    note_threads: Callable[[Sequence[str]], Mapping[str, Note]]
