"""One row of everything that the console shows, and its addresses; must not know who may see what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Model
from django.urls import URLPattern, URLResolver, reverse
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from agentmail.models import DeclinedAddress, InboundEmail, OutboundEmail, ProviderEvent, SuppressedAddress
from cases.models import Attachment, CaseEvent, CaseNote, InputRequest
from tests.cases.factories import CaseFactory, make_api_key
from tests.webhooks.deliveries import record
from webhooks.models import Endpoint

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def make_world() -> dict[str, Any]:
    """Stores a case that waits for an answer and had a step given up, with everything around it; returns the rows."""
    case = CaseFactory.create(status="INPUT_NEEDED", attempt_count=1, client_webhook_url="https://app.example/hook")
    InputRequest.objects.create(case=case, question="Old name or new name?", requested_at=NOW)
    CaseNote.objects.create(case=case, author="rita", body="Call her.", created_at=NOW)
    dead = CaseEvent.objects.create(
        case=case, kind="REPLY_RECEIVED", key="reply:1", status="dead", run_after=NOW, created_at=NOW, finished_at=NOW
    )
    file = Attachment.objects.create(
        case=case, attachment_id="a", name="w9.pdf", size=1, type="application/pdf", message_id="m", inbox_id="i",
        received_at=NOW,
    )  # fmt: skip
    event = ProviderEvent.objects.create(event_id="evt-1", kind="reply", payload={}, received_at=NOW)
    mail = InboundEmail.objects.create(
        owner=case.id, matched_at=NOW, event=event, received_at=NOW, sent_at=NOW, inbox_id="i", message_id="m",
        thread_id="t", from_address="maya@vendor.example", text="Here it is.", html="<p>Here it is.</p>",
    )  # fmt: skip
    sent = OutboundEmail.objects.create(
        owner=case.id, reference="1", inbox_id="i", to_address="maya@vendor.example", subject="W-9", text="Hi",
        payload="{}", idempotency_key="k", label="l", frozen_at=NOW,
    )  # fmt: skip
    key, text = make_api_key(client=case.client)
    delivery = record(NOW, owner=case.id, subscriber=case.client_id)
    schedule = IntervalSchedule.objects.create(every=10, period="seconds")
    rows = (
        case, key, case.client, event, mail, sent, delivery, schedule,
        SuppressedAddress.objects.create(address="gone@vendor.example", reason="BOUNCED", created_at=NOW),
        DeclinedAddress.objects.create(address="stop@vendor.example", scope=case.client_id, created_at=NOW),
        Endpoint.objects.create(
            subscriber=case.client_id, origin="https://app.example", url_digest="d", failing_since=NOW, paused_at=NOW
        ),
        ClockedSchedule.objects.create(clocked_time=NOW),
        CrontabSchedule.objects.create(),
        SolarSchedule.objects.create(event="sunset", latitude=1, longitude=1),
        PeriodicTask.objects.create(name="look", task="cases.sweep_events", interval=schedule),
        get_user_model().objects.create_user("someone", password="someone's password"),
        Group.objects.create(name="Another group"),
    )  # fmt: skip
    by_model: dict[str, Any] = {row._meta.label_lower: row for row in rows}
    return by_model | {"dead": dead, "file": file, "mail": mail, "key text": text, "case": case}


# What stands in an address beside the row's own id.
EXTRA = {
    "cases_case_file": lambda world: [world["file"].pk],
    "cases_case_mail": lambda world: [world["mail"].pk, "headers"],
    "cases_case_requeue": lambda world: [world["dead"].pk],
    "cases_case_give_up": lambda world: [world["dead"].pk],
}
ACTIONS = ("pause", "resume", "follow-up", "reevaluate", "complete", "fail", "cancel")


def list_urls(world: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields (name, address) of every page of the console that is not Django's login, logout or script."""
    yield "index", reverse("admin:index")
    yield "password_change", reverse("admin:password_change")
    yield "two_step", reverse("admin:two_step")
    yield "two_step_secret", reverse("admin:two_step_secret")
    for resolver in admin.site.urls[0]:
        if isinstance(resolver, URLResolver):
            for pattern in resolver.url_patterns:
                if isinstance(pattern, URLPattern) and pattern.name:
                    yield from _make_urls(pattern.name, world)
    for label in ("agentmail", "auth", "cases", "django_celery_beat", "webhooks"):
        yield f"app_list {label}", reverse("admin:app_list", args=[label])


def _make_urls(name: str, world: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if name == "cases_case_action":
        for action in ACTIONS:
            yield f"{name} {action}", reverse(f"admin:{name}", args=[world["case"].pk, action])
    elif name.endswith(("_changelist", "_add")):
        yield name, reverse(f"admin:{name}")
    else:
        row = _find_row(name, world)
        yield name, reverse(f"admin:{name}", args=[row.pk, *EXTRA.get(name, lambda _: [])(world)])


def _find_row(name: str, world: dict[str, Any]) -> Model:
    models = (
        model for model in apps.get_models() if name.startswith(f"{model._meta.app_label}_{model._meta.model_name}_")
    )
    row: Model = world[next(models)._meta.label_lower]
    return row
