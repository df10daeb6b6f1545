"""Every route of the sandbox's process; must never be served in production."""

from __future__ import annotations

from django.urls import include, path
from django.views.generic import RedirectView

from cases.sandbox import advance, show_case
from webhooks.receiver.views import ReceiverView

urlpatterns = [
    path("", RedirectView.as_view(url="/sandbox/")),
    path("sandbox", RedirectView.as_view(url="/sandbox/")),
    # As scripts put it together; a redirect would lose the body of a POST.
    path("sandbox/receiver", ReceiverView.as_view()),
    path("sandbox/receiver/", include("webhooks.receiver.urls")),
    path("sandbox/advance", advance),
    path("sandbox/case", show_case),
    path("sandbox/", include("agentmail.sandbox.urls")),
]
