"""The routes of the local webhook receiver, to be mounted at /sandbox/receiver/; must not know another app's routes."""

from django.urls import path

from webhooks.receiver.views import ReceiverView, StatusView

app_name = "receiver"
urlpatterns = [
    path("", ReceiverView.as_view(), name="received"),
    path("status/<int:code>/", StatusView.as_view(), name="status"),
]
