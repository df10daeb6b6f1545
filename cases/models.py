"""The tables of a case and their constraints; must not hold a rule of the workflow or talk to the network."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Collate, Concat, Left, Lower

# Django looks for an app's tables here.
from cases.callers import ApiKey as ApiKey
from cases.callers import Client as Client
from cases.callers import IdempotentAnswer as IdempotentAnswer
from cases.callers import RequestAllowance as RequestAllowance
from cases.keeping import Keeping as Keeping
from cases.notes import CaseNote as CaseNote
from cases.spending import AgentCall as AgentCall
from cases.spending import AgentTotal as AgentTotal
from cases.workflow import CaseState, EventKind, NextAction, Status

NOTHING_SCHEDULED_MS = 253402300799999
# PostgreSQL refuses a row whose indexed words take more than a megabyte.
SEARCHED_OBJECTIVE = 2_000
PARTS_WORDS = "!\"#$&'()*+,-./:;<=>?@[]^_`{|}~"


def to_ms(moment: datetime) -> int:
    """Returns Unix milliseconds, the form of every timestamp in the API (docs/api/README.md)."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def make_search_vector() -> SearchVector:
    """Returns the words that the console finds a case by, exactly as the index `case_words` holds them.

    Punctuation parts words: PostgreSQL's own reading of "W-9" is a word and a negative number.
    """
    text = Concat(
        "counterparty_name",
        models.Value(" "),
        "counterparty_company",
        models.Value(" "),
        Left("objective", SEARCHED_OBJECTIVE),
        output_field=models.TextField(),
    )
    plain = models.Func(
        text,
        models.Value(PARTS_WORDS),
        models.Value(" " * len(PARTS_WORDS)),
        function="translate",
        output_field=models.TextField(),
    )
    return SearchVector(plain, config="simple")


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

    # On the real clock. While it is set, mail is recorded and nothing is claimed, evaluated or sent.
    paused_at = models.DateTimeField(null=True, blank=True)
    # When the counterparty was erased: words and names are gone, what happened when stays.
    erased_at = models.DateTimeField(null=True, blank=True)
    # When the client's own limits (cases.keeping) emptied these, long after the case ended.
    mail_cleared_at = models.DateTimeField(null=True, blank=True)
    files_cleared_at = models.DateTimeField(null=True, blank=True)
    agent_cleared_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [
            ("answer_case", "Can answer a case's question"),
            ("cancel_case", "Can cancel a case"),
            ("pause_case", "Can pause and resume a case"),
            ("send_follow_up", "Can have a case's next follow-up sent at once"),
            ("reevaluate_case", "Can have a case's last reply evaluated again"),
            ("close_case", "Can close a live case by hand"),
        ]
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
            # For the console: what ended when and how, and its search.
            models.Index(
                fields=["status", "-updated_at", "-id"],
                include=["result_status"],
                name="case_ended",
                condition=Q(status__in=["COMPLETED", "FAILED"]),
            ),
            models.Index(
                fields=["result_status", "-updated_at", "-id"], name="case_by_outcome", condition=~Q(result_status="")
            ),
            models.Index(Collate(Lower("counterparty_name"), "C"), name="case_name_prefix"),
            models.Index(Collate(Lower("counterparty_address"), "C"), name="case_address_prefix"),
            GinIndex(make_search_vector(), name="case_words"),
            # Tiny, so that every claim and sweep can ask it without reading a wide row.
            models.Index(fields=["id"], name="case_paused", condition=Q(paused_at__isnull=False)),
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
            has_open_question=_has_open_question(self.pk),
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
        if state.status.is_terminal:
            # What still waits in the ledger must come to its end: it finds that the case is over.
            self.paused_at = None
        self.updated_at = max(now, self.updated_at + timedelta(milliseconds=1))

    def get_next_action_ms(self) -> int:
        return to_ms(self.next_action_at) if self.next_action_at else NOTHING_SCHEDULED_MS


def _has_open_question(case_id: uuid.UUID) -> bool:
    # As SQL, because every step of every event asks it.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM cases_inputrequest WHERE case_id = %s AND status = 'PENDING')", [case_id]
        )
        return bool(cursor.fetchone()[0])


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
    # Who opened the answer form last, and when (the real clock); a courtesy among staff, and no lock.
    answering_by = models.CharField(max_length=200, blank=True, default="", db_default="")
    answering_at = models.DateTimeField(null=True, blank=True)

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
        indexes = [
            models.Index(fields=["requested_at"], name="input_request_waiting", condition=Q(status="PENDING")),
            models.Index(
                fields=["resolved_at"],
                include=["requested_at"],
                name="input_request_answered",
                condition=Q(status="RESOLVED") & ~Q(answer=""),
            ),
        ]

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
