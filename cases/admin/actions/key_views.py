"""The pages on which a client gets a key and a key is revoked; the text of a key is shown once and never stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from cases import credentials
from cases.admin.base import ApiKeyAdminBase, ClientAdminBase
from cases.admin.search import read_uuid
from cases.models import ApiKey, Client

CREATE_PERMISSION = "cases.create_apikey"
REVOKE_PERMISSION = "cases.revoke_apikey"


class KeyForm(forms.Form):
    name = forms.CharField(
        max_length=credentials.MAX_NAME,
        required=False,
        label="What it is for",
        help_text="For example “production” or “nightly job”. Left empty, it is numbered.",
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=3650,
        required=False,
        label="Valid for so many days",
        help_text="Left empty, it is valid until somebody revokes it.",
    )


class NewKeyViews(ClientAdminBase):
    """What the admin of clients gains: a page that makes a key."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/new-key/", view(self.new_key_view), name="cases_client_new_key"),
            *super().get_urls(),
        ]

    def new_key_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a name on a GET; a POST makes the key and answers with its text, which no later page shows.

        The page may not be kept by any cache. Sent again under the same name, it is refused.
        """
        client_id = read_uuid(object_id)
        client = Client.objects.filter(pk=client_id).first() if client_id else None
        if not self.has_view_permission(request, client) or not request.user.has_perm(CREATE_PERMISSION):
            raise PermissionDenied
        if client is None:
            raise Http404
        if request.method != "POST":
            return self._show(request, client, KeyForm(), 200)
        form = KeyForm(request.POST)
        if not form.is_valid():
            return self._show(request, client, form, 400)
        now, days = timezone.now(), form.cleaned_data["days"]
        try:
            with transaction.atomic():
                made = credentials.create_key(
                    client,
                    name=form.cleaned_data["name"].strip() or None,
                    expires_at=now + timedelta(days=days) if days else None,
                    now=now,
                )
                self.log_change(request, client, f"Made the key {made.row.prefix}… ({made.row.name}).")
        except credentials.CredentialRefused as refusal:
            form.add_error("name", str(refusal))
            return self._show(request, client, form, 400)
        return self._show(request, client, form, 200, key=made.key, row=made.row)

    def _show(self, request: HttpRequest, client: Client, form: KeyForm, status: int, **shown: Any) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "The new key" if shown else f"A new key for {client.name}",
            "client": client,
            "client_url": reverse("admin:cases_client_change", args=[client.pk]),
            "form": form,
            **shown,
        }
        # The admin's pages are never cached, so this one is not either.
        return TemplateResponse(request, "cases/actions/new_key.html", context, status=status)


class RevokeKeyViews(ApiKeyAdminBase):
    """What the admin of keys gains: a page that revokes one."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:object_id>/revoke/", view(self.revoke_view), name="cases_apikey_revoke"),
            *super().get_urls(),
        ]

    def revoke_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Asks on a GET; a POST revokes the key for good, and a second one finds it revoked."""
        row = ApiKey.objects.select_related("client").filter(pk=object_id).first() if object_id < 2**63 else None
        if not self.has_view_permission(request, row) or not request.user.has_perm(REVOKE_PERMISSION):
            raise PermissionDenied
        if row is None:
            raise Http404
        url = reverse("admin:cases_apikey_change", args=[row.pk])
        if row.revoked_at is not None:
            self.message_user(request, f"The key {row.prefix}… is revoked already.", messages.INFO)
            return HttpResponseRedirect(url)
        if request.method != "POST":
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": "Revoke this key?",
                "row": row,
                "key_url": url,
            }
            return TemplateResponse(request, "cases/actions/revoke_key.html", context)
        with transaction.atomic():
            if credentials.revoke_key(row.pk, timezone.now()):
                self.log_change(request, row, "Revoked.")
        self.message_user(request, f"The key {row.prefix}… is revoked.", messages.SUCCESS)
        return HttpResponseRedirect(url)
