"""The admin's name and frame; must not register a model."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.template.response import TemplateResponse


@runtime_checkable
class AddsToEveryPage(Protocol):
    """A registered admin class that has something to say on every page, such as how many wait for a person."""

    def get_site_context(self, request: HttpRequest) -> dict[str, Any]: ...


class OffloadAdminSite(AdminSite):
    site_title = "Offload"
    site_header = "Offload"
    index_title = "Overview"
    index_template = "cases/page/index.html"
    # There is no site beside the API to link to.
    site_url = None
    # With the filters on the right it leaves too little room for a list on a small screen.
    enable_nav_sidebar = False

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Returns the context of every page, with what the registered classes add to it."""
        context: dict[str, Any] = super().each_context(request)
        if context["has_permission"]:
            for model_admin in self._registry.values():
                if isinstance(model_admin, AddsToEveryPage):
                    context |= model_admin.get_site_context(request)
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Shows what waits for a person; the tables stand open for who may change one, and folded for who may read."""
        apps = self.get_app_list(request)
        models = [model for app in apps for model in app["models"]]
        may_change = any(not model["view_only"] for model in models)
        has_more = any(model["object_name"] != "Case" for model in models)
        tables = {"may_change_tables": may_change, "has_more_tables": has_more or not models}
        return super().index(request, {**tables, **(extra_context or {})})


class OffloadAdminConfig(AdminConfig):
    # A dotted name, because Django loads the site only once every app is ready.
    default_site = "offload.admin_site.OffloadAdminSite"
