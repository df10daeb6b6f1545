"""The tables of who calls the API and what it remembers of their requests; must not know what a request was about."""

from __future__ import annotations

import uuid

from django.db import models


class Client(models.Model):
    """An application that hands cases to Offload."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200, unique=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A client's key: only its prefix and its SHA-256 digest are kept, so a key can be shown once."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=200, default="default")
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # To the minute at best: see cases.api.authentication.
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"
        permissions = [
            ("create_apikey", "Can make a key for a client"),
            ("revoke_apikey", "Can revoke a client's key"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"


class RequestAllowance(models.Model):
    """How much of a limit a caller has used up; `cases.api.limits` is the only writer.

    The table is UNLOGGED (its migration says so): a crash of the database forgives everybody, and a request does
    not wait for the disk to be counted.
    """

    # "key:<id>", "ip:<address>", or "sign-in:…" with a digest.
    subject = models.CharField(primary_key=True, max_length=100)
    # The moment at which nothing would be used up any more (the "theoretical arrival time" of a leaky bucket).
    # Without an index, so that an update stays in its page.
    empty_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.subject)


class IdempotentAnswer(models.Model):
    """The 2xx answer that an Idempotency-Key got first, for 24 h; `cases.api.idempotency` is the only writer."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    # SHA-256 of method, path and raw body.
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    # As it was sent, to the byte.
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "key"], name="idempotent_answer_once_per_key")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_answer_age")]

    def __str__(self) -> str:
        return str(self.key)
