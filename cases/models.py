"""The tables of a case and their constraints; must not hold a rule of the workflow or talk to the network."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

# Django looks for an app's tables here.
from cases.spending import AgentCall as AgentCall
from cases.spending import AgentTotal as AgentTotal
from cases.workflow import CaseState, EventKind, NextAction, Status

NOTHING_SCHEDULED_MS = 253402300799999


def to_ms(moment: datetime) -> int:
    """Returns Unix milliseconds, the form of every timestamp in the API (docs/api/README.md)."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


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

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"


class RequestAllowance(models.Model):
    """How much of a limit a caller has used up; `cases.api.limits` is the only writer.

    The table is UNLOGGED (its migration says so): a crash of the database forgives everybody, and a request does
    not wait for the disk to be counted.
    """

    # "key:<id>" or "ip:<address>".
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


class Case(models.Model):
    """One piece of coordination with one outside person."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="cases")
    client_reference_id = models.CharField(max_length=500, blank=True, db_index=True)
    channel = models.CharField(max_length=8, default="EMAIL")

    objective = models.TextField()
    knowledge = models.JSONField(null=True, blank=True)
    constraints = models.JSONField(null=True, blank=True)
    result_schema = models.JSONField(null=True, blank=True)
    metadata = models.JSONField(null=True, blank=True)
    client_webhook_url = models.CharField(max_length=2048, blank=True)

    counterparty_name = models.CharField(max_length=200)
    counterparty_address = models.CharField(max_length=320, db_index=True)
    counterparty_company = models.CharField(max_length=200, blank=True)
    counterparty_timezone = models.CharField(max_length=64, blank=True)
    counterparty_custom_data = models.JSONField(null=True, blank=True)
    persona_name = models.CharField(max_length=200)
    persona_role = models.CharField(max_length=200, blank=True)
    persona_company = models.CharField(max_length=200, blank=True)
    persona_tone = models.CharField(max_length=500, blank=True)

    status = models.CharField(max_length=16, default=Status.CREATED, choices=[(s, s) for s in Status])
    max_attempts = models.PositiveIntegerField(default=3)
    follow_up_delay_hours = models.PositiveIntegerField(default=72)
    attempt_count = models.PositiveIntegerField(default=0)
    follow_ups_sent = models.PositiveIntegerField(default=0)
    snoozes_in_a_row = models.PositiveIntegerField(default=0)
    next_action = models.CharField(max_length=16, blank=True, default=NextAction.NONE)
    # On the case's own clock; this is what clients see.
    next_action_at = models.DateTimeField(null=True, blank=True)
    # The same moment on the real clock; this is what the sweep reads. They differ only in the sandbox.
    due_at = models.DateTimeField(null=True, blank=True)
    clock_offset = models.DurationField(default=timedelta)
    # How the offset came about, oldest first: [real time in ISO 8601, seconds]. Empty outside the sandbox.
    clock_moves = models.JSONField(default=list, blank=True)

    result = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    result_status = models.CharField(max_length=64, blank=True)
    failure_reason = models.TextField(blank=True)

    inbox_id = models.TextField(blank=True)
    thread_id = models.TextField(blank=True)

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [("answer_case", "Can answer a case's question")]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=list(Status)), name="case_status_is_known"),
            models.CheckConstraint(
                # Waiting for a human or ended means: nothing is scheduled (docs/lifecycle.md).
                condition=Q(status="RUNNING") | Q(next_action_at__isnull=True),
                name="case_only_running_is_scheduled",
            ),
            models.CheckConstraint(
                condition=Q(next_action_at__isnull=True, due_at__isnull=True, next_action="")
                | (Q(next_action_at__isnull=False, due_at__isnull=False) & ~Q(next_action="")),
                name="case_schedule_is_whole",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["COMPLETED", "FAILED"]) | ~Q(result_status=""),
                name="case_end_has_a_result_status",
            ),
            models.CheckConstraint(
                condition=Q(follow_ups_sent__lte=F("attempt_count")), name="case_follow_ups_are_attempts"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], name="case_due", condition=Q(status="RUNNING", due_at__isnull=False)),
            models.Index(fields=["client", "-created_at", "-id"], name="case_of_client"),
            models.Index(fields=["client", "updated_at"], name="case_of_client_updated"),
            models.Index(
                "client",
                Lower("counterparty_address"),
                F("created_at").desc(),
                F("id").desc(),
                name="case_of_client_with_address",
            ),
            models.Index(fields=["-created_at", "-id"], name="case_newest"),
            models.Index(fields=["status", "-created_at"], name="case_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.objective[:80]} ({self.counterparty_name})"

    def get_now(self, real_now: datetime) -> datetime:
        """Returns the time on this case's own clock: the real one, plus what the sandbox has advanced."""
        return real_now + self.clock_offset

    def get_time_of(self, real_moment: datetime) -> datetime:
        """Returns what this case's clock showed at a past moment: a mail of before a move keeps its day."""
        passed = sum(
            seconds for moved_at, seconds in self.clock_moves if datetime.fromisoformat(moved_at) <= real_moment
        )
        return real_moment + timedelta(seconds=passed)

    def get_state(self) -> CaseState:
        """Returns what decisions read; one query for the open question."""
        return CaseState(
            status=Status(self.status),
            attempt_count=self.attempt_count,
            follow_ups_sent=self.follow_ups_sent,
            max_attempts=self.max_attempts,
            follow_up_delay_hours=self.follow_up_delay_hours,
            snoozes_in_a_row=self.snoozes_in_a_row,
            next_action=NextAction(self.next_action),
            next_action_at=self.next_action_at,
            has_open_question=self.input_requests.filter(status=InputRequest.PENDING).exists(),
            result_status=self.result_status,
            result=self.result,
            failure_reason=self.failure_reason,
        )

    def set_state(self, state: CaseState, now: datetime) -> None:
        """Takes over `state` as of `now` (the case's clock); does not save.

        `updated_at` always moves on, because webhook event ids are made of it.
        """
        self.status = state.status
        self.attempt_count = state.attempt_count
        self.follow_ups_sent = state.follow_ups_sent
        self.snoozes_in_a_row = state.snoozes_in_a_row
        self.next_action = state.next_action
        self.next_action_at = state.next_action_at
        self.due_at = state.next_action_at - self.clock_offset if state.next_action_at else None
        self.result_status = state.result_status
        self.result = state.result
        self.failure_reason = state.failure_reason
        self.updated_at = max(now, self.updated_at + timedelta(milliseconds=1))

    def get_next_action_ms(self) -> int:
        return to_ms(self.next_action_at) if self.next_action_at else NOTHING_SCHEDULED_MS


class InputRequest(models.Model):
    """A question to a human of ours, and its answer."""

    PENDING = "PENDING"
    RESOLVED = "RESOLVED"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="input_requests")
    question = models.TextField()
    status = models.CharField(max_length=8, default=PENDING, choices=[(PENDING, PENDING), (RESOLVED, RESOLVED)])
    requested_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True)
    answered_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["requested_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["case"], condition=Q(status="PENDING"), name="input_request_one_pending_per_case"
            ),
            models.CheckConstraint(condition=Q(status__in=["PENDING", "RESOLVED"]), name="input_request_status_known"),
            models.CheckConstraint(
                condition=Q(status="PENDING", resolved_at__isnull=True, answer="")
                | Q(status="RESOLVED", resolved_at__isnull=False),
                name="input_request_pending_is_open",
            ),
        ]
        indexes = [models.Index(fields=["requested_at"], name="input_request_waiting", condition=Q(status="PENDING"))]

    def __str__(self) -> str:
        return self.question[:80]


class Attachment(models.Model):
    """What is known of a file that came with a mail; the file itself stays at the provider."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="attachments")
    attachment_id = models.TextField()
    name = models.CharField(max_length=500)
    size = models.BigIntegerField()
    type = models.CharField(max_length=255)
    message_id = models.TextField()
    inbox_id = models.TextField()
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["received_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["case", "message_id", "attachment_id"], name="attachment_once_per_mail")
        ]

    def __str__(self) -> str:
        return self.name


class CaseEvent(models.Model):
    """The ledger: outbox, inbox, claim register and timeline of a case in one row per event.

    `cases.ledger` is the only writer. `attempt` only ever rises and is the fencing token of a claim.
    """

    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    STATUSES = (READY, RUNNING, DONE, DEAD)

    id = models.BigAutoField(primary_key=True)
    key = models.TextField(unique=True)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=32, choices=[(k, k) for k in EventKind])
    payload = models.JSONField(default=dict)
    payload_hash = models.CharField(max_length=64)
    status = models.CharField(max_length=8, default=READY, choices=[(s, s) for s in STATUSES])
    attempt = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    # How often it waited without fault of its own (provider busy, outcome unknown, our configuration).
    waits = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    leased_by = models.CharField(max_length=200, blank=True)
    run_after = models.DateTimeField()
    nudged_at = models.DateTimeField(null=True)
    nudges = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    summary = models.TextField(blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        permissions = [
            ("requeue_event", "Can put a given-up step back"),
            ("give_up_event", "Can end a case over a given-up step"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["ready", "running", "done", "dead"]), name="event_status"),
            models.CheckConstraint(
                condition=Q(status="running", lease_until__isnull=False)
                | (~Q(status="running") & Q(lease_until__isnull=True)),
                name="event_lease_while_running",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["done", "dead"], finished_at__isnull=False)
                | Q(status__in=["ready", "running"], finished_at__isnull=True),
                name="event_finish_time",
            ),
            models.UniqueConstraint(fields=["case"], condition=Q(status="running"), name="event_one_running_per_case"),
        ]
        indexes = [
            models.Index(fields=["case", "id"], name="event_open", condition=Q(status__in=["ready", "running"])),
            models.Index(fields=["id"], name="event_sweep", condition=Q(status__in=["ready", "running"])),
            models.Index(fields=["case", "id"], name="event_timeline"),
            models.Index(fields=["run_after"], name="event_due", condition=Q(status="ready")),
            models.Index(fields=["lease_until"], name="event_lease", condition=Q(status="running")),
            models.Index(fields=["finished_at"], name="event_dead", condition=Q(status="dead")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.id}"


class AgentRun(models.Model):
    """What the agent was asked and what it decided, kept with the event that asked: it is thought once."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="agent_runs")
    event = models.OneToOneField(CaseEvent, on_delete=models.CASCADE, related_name="agent_run")
    operation = models.CharField(max_length=32)
    decision = models.JSONField()
    # Why the mail that belongs to this run goes out (workflow.MailKind), or "" when none does.
    mail_kind = models.CharField(max_length=16, blank=True)
    # Whether a person on the counterparty's side had written something that only this run has read.
    has_heard_counterparty = models.BooleanField(default=False)
    rationale = models.TextField(blank=True)
    message_ids = models.JSONField(default=list)
    input_request_ids = models.JSONField(default=list)
    implementation = models.CharField(max_length=100)
    model_asked = models.CharField(max_length=200, blank=True)
    model_answered = models.CharField(max_length=200, blank=True)
    prompt_version = models.CharField(max_length=100, blank=True)
    prompt_hash = models.CharField(max_length=64, blank=True)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    latency_ms = models.PositiveIntegerField(default=0)
    reasks = models.JSONField(default=list)
    guard_hits = models.JSONField(default=list)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.operation} by {self.implementation}"
