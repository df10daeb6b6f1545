"""A Celery application for real beats in tests: the product's settings, with one task a second and one an hour."""

from offload.celery import OffloadCelery

app = OffloadCelery("beat_app", set_as_current=False)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {
    "often": {"task": "beat_app.often", "schedule": 1.0},
    "hourly": {"task": "beat_app.hourly", "schedule": 3600.0},
}
