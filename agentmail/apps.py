"""Registers the mail app with Django; must not start or connect to anything."""

from django.apps import AppConfig


class AgentMailConfig(AppConfig):
    """Mail through AgentMail. Knows an owner's id, never what a case is."""

    name = "agentmail"
    verbose_name = "Mail"
    default_auto_field = "django.db.models.BigAutoField"
