"""The bases of the admin's classes; must not register anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from cases.keeping import Keeping
from cases.models import ApiKey, Case, Client

# Django's classes are generic for the type checker only.
if TYPE_CHECKING:
    ApiKeyAdminBase = admin.ModelAdmin[ApiKey]
    CaseAdminBase = admin.ModelAdmin[Case]
    ClientAdminBase = admin.ModelAdmin[Client]
    ApiKeyInlineBase = admin.TabularInline[ApiKey, Client]
    KeepingInlineBase = admin.TabularInline[Keeping, Client]
else:
    ApiKeyAdminBase = CaseAdminBase = ClientAdminBase = admin.ModelAdmin
    ApiKeyInlineBase = KeepingInlineBase = admin.TabularInline


class NothingMadeHere:
    """Rows are made by the API or by a command, and nothing is deleted by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
