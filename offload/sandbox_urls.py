"""Every route of the sandbox's process; must never be served in production."""

from __future__ import annotations

from django.urls import include, path

from cases.sandbox import advance

urlpatterns = [
    path("sandbox/receiver/", include("webhooks.receiver.urls")),
    path("sandbox/advance", advance),
    path("sandbox/", include("agentmail.sandbox.urls")),
]
