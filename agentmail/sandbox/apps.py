"""Django's entry for the sandbox; must not do anything when it is loaded."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """Registers the sandbox's tables under the label `sandbox`."""

    name = "agentmail.sandbox"
    label = "sandbox"
    verbose_name = "Mail sandbox"
    default_auto_field = "django.db.models.BigAutoField"
