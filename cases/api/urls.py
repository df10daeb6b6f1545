"""The addresses of the API; must not decide anything. Any text passes as an id, so that the view can answer in JSON."""

from __future__ import annotations

from django.urls import path

from cases.api.views import CasesView, CaseView, InputView

urlpatterns = [
    path("cases", CasesView.as_view(), name="cases"),
    path("cases/<str:case_id>", CaseView.as_view(), name="case"),
    path("cases/<str:case_id>/input", InputView.as_view(), name="case-input"),
]
