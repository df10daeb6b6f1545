"""Finds whose a message is, by its thread, else by the mail it answers; must not go by the sender.

Anybody can write any sender.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection

from agentmail.inbound import Variant
from agentmail.models import InboundEmail, OutboundEmail

# What the provider took for spam is never handed over and draws no other mail to an owner.
HIDDEN = (Variant.SPAM, Variant.BLOCKED)


def message_id_forms(message_ids: Iterable[str]) -> list[str]:
    """Returns every id with and without its angle brackets: providers and clients differ in what they hand over."""
    bare = (message_id.strip().removeprefix("<").removesuffix(">") for message_id in message_ids)
    return [form for message_id in dict.fromkeys(bare) if message_id for form in (message_id, f"<{message_id}>")]


def list_ancestors(in_reply_to: str, references: Sequence[str]) -> list[str]:
    """Returns the ids that a message answers, the nearest first (RFC 5322, section 3.6.4)."""
    return [in_reply_to, *reversed(references)]


def find_owner(thread_id: str, ancestors: Sequence[str]) -> UUID | None:
    """Returns the owner by thread, else by the nearest of the message ids that the message answers, else None.

    Ids of our own mail go before ids of received mail, which their senders chose; of those, one that two owners have
    decides nothing.
    """
    owner = _find_by_thread(thread_id) if thread_id else None
    return owner or _find_by_ancestors(ancestors)


def _find_by_thread(thread_id: str) -> UUID | None:
    with connection.cursor() as cursor:
        cursor.execute(_OWNER_BY_THREAD, {"thread": thread_id, "hidden": [variant.value for variant in HIDDEN]})
        owner: UUID | None = cursor.fetchone()[0]
    return owner


# The newest of ours, else the newest of theirs.
_OWNER_BY_THREAD = """
    SELECT coalesce(
        (SELECT owner FROM agentmail_outboundemail WHERE thread_id = %(thread)s AND thread_id <> ''
          ORDER BY frozen_at DESC LIMIT 1),
        (SELECT owner FROM agentmail_inboundemail
          WHERE thread_id = %(thread)s AND owner IS NOT NULL AND variant <> ALL(%(hidden)s)
          ORDER BY received_at DESC LIMIT 1))
"""


def _find_by_ancestors(ancestors: Sequence[str]) -> UUID | None:
    forms = message_id_forms(ancestors)
    if not forms:
        return None
    ours = OutboundEmail.objects.filter(message_id__in=forms).values_list("message_id", "owner")
    theirs = (
        InboundEmail.objects.filter(message_id__in=forms, owner__isnull=False)
        .exclude(variant__in=HIDDEN)
        .values_list("message_id", "owner")
    )
    for pairs in (ours, theirs):
        owners: dict[str, set[UUID]] = {}
        for message_id, owner in pairs:
            if owner is not None:
                owners.setdefault(message_id, set()).add(owner)
        for form in forms:
            if len(owners.get(form, ())) == 1:
                return owners[form].pop()
    return None


def keep_promising(messages: Sequence[tuple[str, Sequence[str]]]) -> list[bool]:
    """Returns, for many (thread id, ancestors) at once and in four queries, whether find_owner may find an owner.

    The many unmatched messages of a busy inbox must not cost a transaction each, every minute.
    """
    threads = {thread_id for thread_id, _ in messages if thread_id}
    forms = [message_id_forms(ancestors) for _, ancestors in messages]
    ids = {form for group in forms for form in group}
    visible = InboundEmail.objects.filter(owner__isnull=False).exclude(variant__in=HIDDEN)
    known_threads = {
        *OutboundEmail.objects.filter(thread_id__in=threads).values_list("thread_id", flat=True),
        *visible.filter(thread_id__in=threads).values_list("thread_id", flat=True),
    }
    known_ids = {
        *OutboundEmail.objects.filter(message_id__in=ids).values_list("message_id", flat=True),
        *visible.filter(message_id__in=ids).values_list("message_id", flat=True),
    }
    return [
        thread_id in known_threads or not known_ids.isdisjoint(group)
        for (thread_id, _), group in zip(messages, forms, strict=True)
    ]
