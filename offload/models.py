"""The table in which beat and workers say that they live; must not hold anything that work depends on."""

from __future__ import annotations

from django.db import models


class Pulse(models.Model):
    """When a process was last heard of, on the database's clock. `offload.pulses` is the only writer."""

    BEAT = "beat"
    WORKER = "worker"

    # "beat", or "worker" with host and process id.
    name = models.CharField(primary_key=True, max_length=200)
    kind = models.CharField(max_length=8)
    beaten_at = models.DateTimeField()
    # When the queue last answered a worker's poll; null before the first time and for the beat.
    polled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
