"""PURE: the names that the workflow, the tables and the API share; must not hold a rule of the workflow."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    CREATED = "CREATED"
    RUNNING = "RUNNING"
    INPUT_NEEDED = "INPUT_NEEDED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"

    @property
    def is_terminal(self) -> bool:
        return self in (Status.COMPLETED, Status.FAILED)


class EventKind(StrEnum):
    CASE_CREATED = "CASE_CREATED"
    FOLLOW_UP_DUE = "FOLLOW_UP_DUE"
    RECHECK_DUE = "RECHECK_DUE"
    REPLY_RECEIVED = "REPLY_RECEIVED"
    INPUT_PROVIDED = "INPUT_PROVIDED"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    CASE_CANCELLED = "CASE_CANCELLED"
    CASE_CLOSED = "CASE_CLOSED"
    CASE_PAUSED = "CASE_PAUSED"
    CASE_RESUMED = "CASE_RESUMED"
    REEVALUATION_ASKED = "REEVALUATION_ASKED"

    @property
    def is_applied_at_once(self) -> bool:
        """Whether it is born done: what it means for the case happened when it was recorded."""
        return self in (
            EventKind.DELIVERY_FAILED,
            EventKind.CASE_CANCELLED,
            EventKind.CASE_CLOSED,
            EventKind.CASE_PAUSED,
            EventKind.CASE_RESUMED,
        )


class NextAction(StrEnum):
    NONE = ""
    FOLLOW_UP = "follow_up"
    RECHECK = "recheck"


class ResultStatus(StrEnum):
    """The result statuses that Offload itself sets; clients must treat the field as open."""

    GOAL_ACHIEVED = "goal_achieved"
    MAX_RETRIES = "max_retries"
    FAILED_REJECTED = "failed_rejected"
    BOUNCED = "BOUNCED"
    COMPLAINED = "COMPLAINED"
    REJECTED = "REJECTED"
    CANCELLED = "cancelled"
    SEND_FAILED = "send_failed"
    EVALUATION_FAILED = "evaluation_failed"


class Notice(StrEnum):
    """The client webhooks that a change of a case can cause (docs/api/webhooks.md)."""

    COMPLETED = "case.completed"
    FAILED = "case.failed"
    INPUT_NEEDED = "case.input_needed"


class MailKind(StrEnum):
    """Why a mail goes out; decides which counters it raises."""

    OUTREACH = "outreach"
    FOLLOW_UP = "follow_up"
    REPLY = "reply"
    NUDGE = "nudge"

    @property
    def uses_follow_up(self) -> bool:
        return self in (MailKind.FOLLOW_UP, MailKind.NUDGE)
