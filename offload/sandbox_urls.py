"""Every route of the sandbox's process; must never be served in production."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("sandbox/receiver/", include("webhooks.receiver.urls")),
    path("sandbox/", include("agentmail.sandbox.urls")),
]
