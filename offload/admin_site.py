"""The admin's name and frame; must not register a model."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Protocol, runtime_checkable

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import BadRequest, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver

from cases.paging import QuickPaginator


@runtime_checkable
class AddsToEveryPage(Protocol):
    """A registered admin class that has something to say on every page, such as how many wait for a person."""

    def get_site_context(self, request: HttpRequest) -> dict[str, Any]: ...


@runtime_checkable
class FillsFirstPage(Protocol):
    """A registered admin class that fills the first page, for whoever opens it."""

    def get_overview(self, request: HttpRequest) -> dict[str, Any]: ...


class OffloadAdminSite(AdminSite):
    site_title = "Offload"
    site_header = "Offload"
    index_title = "Overview"
    index_template = "cases/overview/index.html"
    # There is no site beside the API to link to.
    site_url = None
    # With the filters on the right it leaves too little room for a list on a small screen.
    enable_nav_sidebar = False

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Registers as Django does; no list counts its table to the end unless its class says how it counts."""
        super().register(model_or_iterable, admin_class, **options)
        for model_admin in self._registry.values():
            if model_admin.paginator is Paginator:
                # Of this one object: its class may be Django's own and stand behind other sites.
                vars(model_admin).update(paginator=QuickPaginator, show_full_result_count=False)

    def admin_view(self, view: Callable[..., HttpResponseBase], cacheable: bool = False) -> Any:
        """Wraps a page as Django does; a filter with a NUL, which PostgreSQL stores nowhere, narrows nothing, and a
        selected row whose id is none is answered 400."""
        inner = super().admin_view(view, cacheable)

        def show(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if "%00" in request.META.get("QUERY_STRING", ""):
                request.GET = _drop_nuls(request.GET)  # type: ignore[assignment]
            if not _are_ids(view, request.POST.getlist(ACTION_CHECKBOX_NAME)):
                raise BadRequest("A selected row has no such id.")
            return inner(request, *args, **kwargs)

        return update_wrapper(show, inner)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Returns Django's routes without "view on site": no row has a page elsewhere, and an odd id raises there."""
        return [route for route in super().get_urls() if getattr(route, "name", None) != "view_on_site"]

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
        filled: dict[str, Any] = {}
        for model_admin in self._registry.values():
            if isinstance(model_admin, FillsFirstPage):
                filled |= model_admin.get_overview(request)
        return super().index(request, {**tables, **filled, **(extra_context or {})})


def _drop_nuls(query: QueryDict) -> QueryDict:
    kept = QueryDict(mutable=True)
    for name, values in query.lists():
        # Django's search box says itself that it takes none.
        if name == SEARCH_VAR or not any("\x00" in text for text in (name, *values)):
            kept.setlist(name, values)
    return kept


def _are_ids(view: Callable[..., HttpResponseBase], texts: list[str]) -> bool:
    # Django hands them to the database as they came.
    model_admin = getattr(view, "__self__", None)
    if not isinstance(model_admin, ModelAdmin):
        return True
    try:
        for text in texts:
            model_admin.model._meta.pk.clean(text, None)
    except ValidationError:
        return False
    return True


class OffloadAdminConfig(AdminConfig):
    # A dotted name, because Django loads the site only once every app is ready.
    default_site = "offload.signing_in.site.SigningInSite"

    def ready(self) -> None:
        """Registers what the apps have, except for django-otp's models: their pages would show and change secrets."""
        super().ready()
        admin.site.unregister([apps.get_model(name) for name in ("otp_totp.TOTPDevice", "otp_static.StaticDevice")])
