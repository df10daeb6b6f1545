"""The addresses of the API; must not decide anything. Any text passes as an id, so that the view can answer in JSON."""

from __future__ import annotations

from django.urls import path

from cases.api.views import AttachmentView, CancelView, CasesView, CaseView, InputView

urlpatterns = [
    path("cases", CasesView.as_view(), name="cases"),
    path("cases/<str:case_id>", CaseView.as_view(), name="case"),
    path("cases/<str:case_id>/input", InputView.as_view(), name="case-input"),
    path("cases/<str:case_id>/cancel", CancelView.as_view(), name="case-cancel"),
    # The provider's ids may hold a slash.
    path("cases/<str:case_id>/attachments/<path:attachment_id>", AttachmentView.as_view(), name="case-attachment"),
]
