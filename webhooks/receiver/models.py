"""What the local webhook receiver was sent; the other side of the wire, so it must not import the sending side."""

from __future__ import annotations

from django.db import models


class ReceivedWebhook(models.Model):
    """One POST, kept as it came; ids are copied out of the body so that it can be found by them."""

    received_at = models.DateTimeField()
    event_id = models.TextField(blank=True)
    event_type = models.TextField(blank=True)
    case_id = models.TextField(blank=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    answered = models.PositiveIntegerField(default=200)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["case_id"], name="receiver_received_case"),
        ]

    def __str__(self) -> str:
        return self.event_id or f"webhook {self.pk}"
