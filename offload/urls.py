"""Every route of the web process, and the only place where the apps are wired to each other."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from agentmail.views import AgentMailWebhookView
from cases.api.openapi.views import DescriptionView, PageView
from cases.services import record_delivery_failure, record_reply
from offload.health import answer_livez, answer_readyz
from offload.metrics import answer_metrics

urlpatterns = [
    # What people type: the API answers everything else.
    path("", RedirectView.as_view(url="/admin/")),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("livez", answer_livez),
    path("readyz", answer_readyz),
    path("metrics", answer_metrics),
    path(
        "agentmail/webhook",
        AgentMailWebhookView.as_view(on_reply=record_reply, on_delivery_failure=record_delivery_failure),
    ),
    path("openapi.json", DescriptionView.as_view(), name="openapi"),
    path("docs", PageView.as_view(), name="docs"),
    path("", include("cases.api.urls")),
]

handler400 = "cases.api.errors.answer_bad_request"
handler403 = "cases.api.errors.answer_forbidden"
handler404 = "cases.api.errors.answer_not_found"
handler500 = "cases.api.errors.answer_server_error"
