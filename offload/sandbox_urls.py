"""Every route of the sandbox's process; must never be served in production."""

from __future__ import annotations

from django.urls import include, path
from django.views.generic import RedirectView

from agentmail.sandbox.urls import APP_NAME, make_routes
from cases.sandbox import views
from cases.sandbox.panel import BESIDE
from webhooks.receiver.views import ReceiverView

urlpatterns = [
    path("", RedirectView.as_view(url="/sandbox/")),
    path("sandbox", RedirectView.as_view(url="/sandbox/")),
    # As scripts put it together; a redirect would lose the body of a POST.
    path("sandbox/receiver", ReceiverView.as_view()),
    path("sandbox/receiver/", include("webhooks.receiver.urls")),
    path("sandbox/advance", views.advance),
    path("sandbox/case", views.show_case),
    path("sandbox/cases", views.start_sample, name="sandbox-start"),
    path("sandbox/cases/<uuid:case_id>/", views.follow_case, name="sandbox-case"),
    path("sandbox/cases/<uuid:case_id>/wait", views.let_time_pass, name="sandbox-wait"),
    path("sandbox/", include((make_routes(BESIDE), APP_NAME))),
]
