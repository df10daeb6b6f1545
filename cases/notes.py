"""The table of what staff write to each other about a case; no client, counterparty or agent may ever read it."""

from __future__ import annotations

from django.db import models


class CaseNote(models.Model):
    """One internal note; it is never changed, and no API, mail, webhook or prompt shows it."""

    case = models.ForeignKey("cases.Case", on_delete=models.CASCADE, related_name="notes")
    # A name and not a user, so that a note outlives the account.
    author = models.CharField(max_length=200)
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at", "id"]
        default_permissions = ("add", "view")

    def __str__(self) -> str:
        return self.body[:80]
