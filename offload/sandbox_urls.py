"""Every route of the sandbox's process; must never be served in production."""

from __future__ import annotations

from django.urls import include, path
from django.views.generic import RedirectView

from cases.sandbox import advance, show_case

urlpatterns = [
    path("", RedirectView.as_view(url="/sandbox/")),
    path("sandbox", RedirectView.as_view(url="/sandbox/")),
    path("sandbox/receiver/", include("webhooks.receiver.urls")),
    path("sandbox/advance", advance),
    path("sandbox/case", show_case),
    path("sandbox/", include("agentmail.sandbox.urls")),
]
