"""How a client's webhooks are sent: shown and changed by staff on one page; must not show a secret a second time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from cases.models import Client
from webhooks import endpoints, policies
from webhooks.policies import NewSecret
from webhooks.services import list_undelivered, resend_undelivered

VIEW_PERMISSION = "webhooks.view_delivery"
CHANGE_PERMISSION = "webhooks.rotate_secret"
RESEND_PERMISSION = "webhooks.resend_delivery"
DAYS_RESENT = 30


class PolicyForm(forms.Form):
    """What the client opted in to."""

    signs = forms.BooleanField(
        label="Sign every attempt", required=False, help_text="Standard Webhooks headers; the client can verify them."
    )
    retries = forms.BooleanField(
        label="Try again what fails",
        required=False,
        help_text="Up to eight attempts within 28 hours; without it, one attempt for each event.",
    )


class RotationForm(forms.Form):
    """How long the present secret signs beside its successor."""

    hours = forms.IntegerField(
        label="Hours for which the present secret stays valid",
        min_value=0,
        max_value=720,
        initial=24,
        help_text="0 ends it at once: for a secret that leaked.",
    )


class ResendForm(forms.Form):
    """How far back failed webhooks are sent again."""

    days = forms.IntegerField(
        label="Those that failed in the last … days", min_value=1, max_value=3650, initial=DAYS_RESENT
    )


def list_urls(site: admin.AdminSite) -> list[URLPattern]:
    """Returns the routes of these pages, to stand before those of the client's own page."""
    view = site.admin_view
    return [
        path("<uuid:client_id>/webhooks/", view(show_webhooks), name="cases_client_webhooks"),
        path("<uuid:client_id>/webhooks/secret/", view(rotate_secret), name="cases_client_webhook_secret"),
        path("<uuid:client_id>/webhooks/resend/", view(resend_failed), name="cases_client_webhook_resend"),
    ]


def show_webhooks(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """Shows policy, secrets and endpoints of a client; a POST changes the policy, and shows a first secret once."""
    client = _find_client(request, client_id, CHANGE_PERMISSION if request.method == "POST" else VIEW_PERMISSION)
    if request.method != "POST":
        return _show(request, client, now=timezone.now())
    form = PolicyForm(request.POST)
    form.is_valid()
    wanted = {name: bool(form.cleaned_data[name]) for name in ("signs", "retries")}
    now = timezone.now()
    with transaction.atomic():
        made = policies.change_policy(client.pk, **wanted, by=_name(request), now=now)
        told = f"Webhooks: {'signed' if wanted['signs'] else 'unsigned'}, "
        _log(request, client, told + ("tried again." if wanted["retries"] else "one attempt."))
    if made is not None:
        return _show_secret(request, client, made, now)
    messages.success(request, "Saved. It holds for every attempt from here on.")
    return HttpResponseRedirect(_get_url(client))


def rotate_secret(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """Asks how long the present secret stays, and on a POST makes its successor and shows it once."""
    client = _find_client(request, client_id, CHANGE_PERMISSION)
    form = RotationForm(request.POST if request.method == "POST" else None)
    now = timezone.now()
    if request.method != "POST" or not form.is_valid():
        context = {"form": form, "secrets": policies.list_secrets(client.pk, now)}
        status = 400 if request.method == "POST" else 200
        return _render(request, "rotate", client, "Make a new secret", context, status=status)
    overlap = timedelta(hours=form.cleaned_data["hours"])
    with transaction.atomic():
        made = policies.rotate_secret(client.pk, by=_name(request), now=now, overlap=overlap)
        _log(request, client, f"Made the webhook secret {made.row.fingerprint}.")
    return _show_secret(request, client, made, now)


def resend_failed(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """Asks which failed webhooks of the client go out again, and makes them due on a POST."""
    client = _find_client(request, client_id, RESEND_PERMISSION)
    now = timezone.now()
    form = ResendForm(request.POST or request.GET or {"days": DAYS_RESENT})
    if not form.is_valid():
        return _render(request, "resend", client, "Send again what failed", {"form": form, "count": None}, status=400)
    since = now - timedelta(days=form.cleaned_data["days"])
    if request.method != "POST":
        context = {"form": form, "count": list_undelivered(client.pk, since).count()}
        return _render(request, "resend", client, "Send again what failed", context)
    resent = resend_undelivered(client.pk, since=since, by=_name(request), now=now)
    _log(request, client, f"Sent {resent} failed webhooks again.")
    noun = "webhook goes" if resent == 1 else "webhooks go"
    messages.success(request, f"{resent} {noun} out again, at the pace of the workers.")
    return HttpResponseRedirect(_get_url(client))


def _find_client(request: HttpRequest, client_id: UUID, permission: str) -> Client:
    if not (request.user.has_perm("cases.view_client") and request.user.has_perm(permission)):
        raise PermissionDenied
    return get_object_or_404(Client, pk=client_id)


def _show(request: HttpRequest, client: Client, *, now: datetime) -> TemplateResponse:
    policy = policies.get_policy(client.pk)
    initial = {"signs": bool(policy and policy.signs), "retries": bool(policy and policy.retries)}
    context = {
        "form": PolicyForm(initial=initial),
        "policy": initial,
        "secrets": policies.list_secrets(client.pk, now),
        "paused": endpoints.list_paused(client.pk),
        "failed_count": list_undelivered(client.pk, now - timedelta(days=DAYS_RESENT)).count(),
        "days": DAYS_RESENT,
        "may_change": request.user.has_perm(CHANGE_PERMISSION),
        "may_resend": request.user.has_perm(RESEND_PERMISSION),
        "deliveries_url": f"{reverse('admin:webhooks_delivery_changelist')}?q={client.pk}",
    }
    return _render(request, "settings", client, f"Webhooks of {client.name}", context)


def _show_secret(request: HttpRequest, client: Client, made: NewSecret, now: datetime) -> TemplateResponse:
    """Answers the POST itself: a redirect would have to keep the secret somewhere until it is shown."""
    older = [row for row in policies.list_secrets(client.pk, now) if row.pk != made.row.pk]
    context = {"secret": made.secret, "older": older}
    response = _render(request, "secret", client, "The secret, shown once", context)
    response["Cache-Control"] = "no-store"
    return response


def _render(
    request: HttpRequest, name: str, client: Client, title: str, context: dict[str, Any], *, status: int = 200
) -> TemplateResponse:
    whole = {
        **admin.site.each_context(request),
        "opts": Client._meta,
        "title": title,
        "client": client,
        "webhooks_url": _get_url(client),
        **context,
    }
    return TemplateResponse(request, f"cases/webhooks/{name}.html", whole, status=status)


def _log(request: HttpRequest, client: Client, sentence: str) -> None:
    # Whoever has a permission is signed in.
    assert request.user.pk is not None
    LogEntry.objects.log_actions(request.user.pk, [client], CHANGE, sentence, single_object=True)


def _name(request: HttpRequest) -> str:
    return request.user.get_username()[:200]


def _get_url(client: Client) -> str:
    return reverse("admin:cases_client_webhooks", args=[client.pk])
