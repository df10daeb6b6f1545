"""The tables of what asking the agent took; must not hold what was asked or answered, nor a rule about caps.

An AgentRun is a decision and stands or falls with its event. These rows are written for every call, also for one that
gave no answer or whose answer came too late to count: it was paid for all the same.
"""

from __future__ import annotations

from django.db import models


class AgentCall(models.Model):
    """One call of the agent; `cases.handlers.budget` is the only writer and sums the tokens up before the next."""

    client = models.ForeignKey("cases.Client", on_delete=models.CASCADE, related_name="+", db_index=False)
    case = models.ForeignKey("cases.Case", on_delete=models.CASCADE, related_name="agent_calls")
    operation = models.CharField(max_length=32)
    implementation = models.CharField(max_length=100)
    model = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=32)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    # In US dollars; null where the price is not known.
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    # On the real clock.
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["client", "created_at"],
                include=["tokens_in", "tokens_out", "cost_usd"],
                name="agent_call_of_client",
            )
        ]

    def __str__(self) -> str:
        return f"{self.operation}: {self.outcome}"


class AgentTotal(models.Model):
    """What all calls of one kind took since the installation began; it never falls, whatever is deleted.

    Its rows are few, so that reading them costs the same after ten calls and after ten million.
    """

    implementation = models.CharField(max_length=100)
    model = models.CharField(max_length=200, blank=True)
    operation = models.CharField(max_length=32)
    # The kind of a decision, or how a call failed.
    outcome = models.CharField(max_length=32)
    calls = models.PositiveBigIntegerField(default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    reasks = models.PositiveBigIntegerField(default=0)
    guard_hits = models.PositiveBigIntegerField(default=0)
    latency_ms = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["implementation", "model", "operation", "outcome"], name="agent_total_once_per_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.operation} by {self.implementation}: {self.outcome}"
