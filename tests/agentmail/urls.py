"""Mounts the webhook view by itself, with hooks that only remember what they were called with."""

from django.urls import path

from agentmail.matching import MatchedFailure, MatchedReply
from agentmail.views import AgentMailWebhookView

replies: list[MatchedReply] = []
failures: list[MatchedFailure] = []

urlpatterns = [
    path("webhook", AgentMailWebhookView.as_view(on_reply=replies.append, on_delivery_failure=failures.append)),
]
