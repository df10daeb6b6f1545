"""The environment of the product's processes in a bench; must not let the surrounding shell's settings in."""

from __future__ import annotations

import os

QUEUE = "offload-bench"
OURS = ("OFFLOAD_", "AGENTMAIL_", "AWS_", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")


def compose_environment(database_url: str, queue_url: str, **settings: str) -> dict[str, str]:
    """Returns the environment of a local installation with that database and queue; `settings` win."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "offload.settings",
        "DATABASE_URL": database_url,
        "OFFLOAD_MODE": "local",
        "OFFLOAD_SECRET_KEY": "only-for-a-bench-not-a-secret",
        "OFFLOAD_QUEUE": QUEUE,
        "OFFLOAD_LOG_LEVEL": "WARNING",
        "AWS_ENDPOINT_URL_SQS": queue_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        **settings,
    }
