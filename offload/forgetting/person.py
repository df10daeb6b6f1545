"""Erases one person outside from every table; must leave what happened when, and never touch a case that lives.

One transaction: all of it or nothing. What is deleted, emptied and replaced is told table by table, and a dry run is
the same thing rolled back, so its counts are those of the real one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.db.models.functions import Lower

from agentmail.suppression import keep_digest_only
from cases import services
from cases.models import Case, CaseEvent
from cases.workflow import Status
from offload.forgetting import columns
from webhooks.models import Delivery

# Reserved for such uses (RFC 2606): no mail can ever reach it.
NOBODY = "erased@erased.invalid"
# What a webhook's body tells of the case itself; the rest is the person's or the client's words.
KEPT_OF_A_BODY = ("caseId", "clientReferenceId", "status", "channel", "attemptCount", "resultStatus")

# In this order; each changes rows of the person's cases, of mail of the person's, or of threads with the person.
# `cases` are ids, `address` is in lower case. What may not be empty by a constraint says so instead.
STATEMENTS: Sequence[tuple[str, str]] = (
    (
        "cases_case",
        """UPDATE cases_case SET counterparty_name = '[erased]', counterparty_address = %(nobody)s,
                  counterparty_company = '', counterparty_timezone = '', counterparty_custom_data = NULL,
                  objective = '[erased]', knowledge = NULL, constraints = NULL, metadata = NULL, result = NULL,
                  failure_reason = '', thread_id = '', erased_at = %(now)s
            WHERE id = ANY(%(cases)s)""",
    ),
    (
        "cases_inputrequest",
        """UPDATE cases_inputrequest SET question = '[erased]',
                  answer = CASE WHEN answer = '' THEN '' ELSE '[erased]' END
            WHERE case_id = ANY(%(cases)s)""",
    ),
    (
        "cases_attachment",
        "UPDATE cases_attachment SET name = '[erased]', type = '', size = 0 WHERE case_id = ANY(%(cases)s)",
    ),
    (
        # What waits is of a case that has ended: a worker would find nothing to do.
        "cases_caseevent",
        """UPDATE cases_caseevent SET payload = '{}', last_error = '', summary = '',
                  status = CASE WHEN status = 'ready' THEN 'done' ELSE status END,
                  finished_at = coalesce(finished_at, %(now)s)
            WHERE case_id = ANY(%(cases)s)""",
    ),
    (
        "cases_agentrun",
        """UPDATE cases_agentrun SET decision = '{}', rationale = '', reasks = '[]', guard_hits = '[]'
            WHERE case_id = ANY(%(cases)s)""",
    ),
    ("cases_casenote", "UPDATE cases_casenote SET body = '[erased]' WHERE case_id = ANY(%(cases)s)"),
    (
        "agentmail_outboundemail",
        """UPDATE agentmail_outboundemail SET to_address = %(nobody)s, subject = '', text = '[erased]', payload = '{}',
                  last_error = '',
                  state = CASE WHEN state IN ('frozen', 'sending', 'unknown') THEN 'abandoned' ELSE state END
            WHERE owner = ANY(%(cases)s) OR lower(to_address) = %(address)s""",
    ),
    (
        # Before the mail itself, by which it is found.
        "agentmail_providerevent",
        """UPDATE agentmail_providerevent SET payload = '{}', addresses = '[]', detail = '', note = ''
            WHERE owner = ANY(%(cases)s) OR addresses @> to_jsonb(%(address)s::text)
               OR event_id IN (SELECT event_id FROM agentmail_inboundemail
                                WHERE owner = ANY(%(cases)s) OR lower(from_address) = %(address)s)
               OR kind = 'mail' AND message_id <> '' AND (inbox_id, message_id) IN (
                   SELECT inbox_id, message_id FROM agentmail_inboundemail
                    WHERE owner = ANY(%(cases)s) OR lower(from_address) = %(address)s)
               OR owner IS NULL AND position(%(address)s IN lower(
                   coalesce(payload #>> '{message,from}', payload #>> '{message,from_}', ''))) > 0""",
    ),
    (
        "agentmail_inboundemail",
        """UPDATE agentmail_inboundemail SET from_address = '', from_name = '', "to" = '[]', subject = '', text = '',
                  html = '', extracted_text = '', headers = '{}', attachments = '[]'
            WHERE owner = ANY(%(cases)s) OR lower(from_address) = %(address)s""",
    ),
    (
        "webhooks_deliveryattempt",
        """UPDATE webhooks_deliveryattempt SET first_bytes = '', error = '' WHERE delivery_id IN (
                  SELECT id FROM webhooks_delivery WHERE owner = ANY(%(cases)s))""",
    ),
)
# The stand-in provider's tables and the local webhook receiver's, where they are installed. Files are bytes that nobody
# can search: they go with the mail.
SANDBOX: Sequence[tuple[str, str]] = (
    (
        "sandbox_attachment",
        """DELETE FROM sandbox_attachment WHERE message_id IN (SELECT id FROM sandbox_message WHERE thread_id IN (
               SELECT thread_id FROM sandbox_message
                WHERE position(%(address)s IN lower(concat_ws(' ', from_header, "to", cc, bcc, reply_to))) > 0))""",
    ),
    (
        "sandbox_thread",
        """UPDATE sandbox_thread SET subject = '' WHERE id IN (SELECT thread_id FROM sandbox_message
            WHERE position(%(address)s IN lower(concat_ws(' ', from_header, "to", cc, bcc, reply_to))) > 0)""",
    ),
    (
        "sandbox_message",
        """UPDATE sandbox_message SET subject = '', text = '[erased]', html = NULL, extracted_text = NULL,
                  headers = '{}', from_header = '[erased]', "to" = '{}', cc = '{}', bcc = '{}', reply_to = '{}'
            WHERE thread_id IN (SELECT thread_id FROM sandbox_message
                WHERE position(%(address)s IN lower(concat_ws(' ', from_header, "to", cc, bcc, reply_to))) > 0)""",
    ),
    (
        "sandbox_delivery",
        "UPDATE sandbox_delivery SET body = '{}' WHERE position(%(address)s IN lower(body)) > 0",
    ),
    (
        "sandbox_draft",
        """UPDATE sandbox_draft SET subject = '', text = '', html = NULL, "to" = '{}', cc = '{}', bcc = '{}',
                  reply_to = '{}', attachments = '[]'
            WHERE position(%(address)s IN lower(concat_ws(' ', "to", cc, bcc, reply_to))) > 0""",
    ),
    (
        "receiver_receivedwebhook",
        """UPDATE receiver_receivedwebhook SET body = '{}'
            WHERE case_id = ANY(%(cases)s::text[]) OR position(%(address)s IN lower(body)) > 0""",
    ),
)


class NotErased(Exception):
    """Nothing was changed; the text is a sentence with its remedy."""


@dataclass
class Erased:
    """What one run changed: rows by table, and the names that the person went by, for the proof."""

    cases: int = 0
    cancelled: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)


def erase(address: str, *, now: datetime, cancel_live: bool, dry_run: bool) -> Erased:
    """Erases the person with this address and returns what was changed; a second call finds nothing more.

    Raises NotErased when the address is our own, when a case lives and may not be cancelled, or while a worker is at
    one of them. The address goes to the list of those that get no mail, as a digest.
    """
    address = address.strip().lower()
    if address == settings.AGENTMAIL_INBOX_ID.lower():
        raise NotErased(f"{address} is the inbox that Offload writes from (AGENTMAIL_INBOX_ID).")
    with transaction.atomic():
        erased = _erase(address, now, cancel_live)
        transaction.set_rollback(dry_run)
    return erased


def _erase(address: str, now: datetime, cancel_live: bool) -> Erased:
    cases = list(
        Case.objects.annotate(folded=Lower("counterparty_address"))
        .filter(folded=address)
        .select_for_update(no_key=True, of=("self",))
        .order_by("id")
    )
    erased = Erased(cases=len(cases), names=sorted({case.counterparty_name for case in cases}))
    ids = [case.id for case in cases]
    erased.cancelled = _end_live(cases, now, cancel_live)
    if CaseEvent.objects.filter(case__in=ids, status=CaseEvent.RUNNING).exists():
        raise NotErased("A worker is at one of the person's cases. Run the command again in a minute.")
    values = {"cases": ids, "address": address, "nobody": NOBODY, "now": now}
    erased.rows["webhooks_delivery"] += _shorten_bodies(ids)
    for table, statement in _list_statements():
        erased.rows[table] += _run(statement, values)
    erased.rows["django_admin_log"] += LogEntry.objects.filter(
        content_type__app_label="cases", content_type__model="case", object_id__in=[str(id_) for id_ in ids]
    ).update(object_repr=columns.ERASED, change_message="")
    erased.rows["agentmail_suppressedaddress"] += keep_digest_only(address, now)
    # Whatever no statement above knows of.
    for column in columns.list_columns():
        erased.rows[column.table] += columns.replace(column, address)
    return erased


def _end_live(cases: Sequence[Case], now: datetime, cancel_live: bool) -> int:
    live = [case for case in cases if not Status(case.status).is_terminal]
    if live and not cancel_live:
        some = ", ".join(str(case.id) for case in live[:5])
        raise NotErased(
            f"{len(live)} cases with this person are not ended ({some}). "
            "Add --cancel-live to cancel them first, which tells their clients."
        )
    for case in live:
        services.cancel_case(case.id, by="erase_person", now=now)
    return len(live)


def _list_statements() -> Sequence[tuple[str, str]]:
    return (*STATEMENTS, *SANDBOX) if apps.is_installed("agentmail.sandbox") else STATEMENTS


def _run(statement: str, values: Mapping[str, object]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)  # type: ignore[arg-type]  # lists become arrays
        return int(cursor.rowcount)


def _shorten_bodies(case_ids: Sequence[UUID]) -> int:
    """Leaves of each webhook what it says of the case itself; one that is still on its way goes out like that."""
    changed = 0
    for delivery in Delivery.objects.filter(owner__in=case_ids).only("id", "body").iterator():
        body = json.loads(delivery.body)
        data = body.get("data", {})
        body["data"] = {key: data[key] for key in KEPT_OF_A_BODY if key in data} | {"attachments": []}
        changed += Delivery.objects.filter(id=delivery.id).update(
            body=json.dumps(body, separators=(",", ":")), last_error=""
        )
    return changed
