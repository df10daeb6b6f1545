"""Names the app that receives webhooks in the local stack; must not import models."""

from django.apps import AppConfig


class ReceiverConfig(AppConfig):
    name = "webhooks.receiver"
    label = "receiver"
    default_auto_field = "django.db.models.BigAutoField"
