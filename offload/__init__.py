"""The composition root: settings, routes and processes; nobody imports it."""

from offload.celery import app as celery_app

__all__ = ("celery_app",)
