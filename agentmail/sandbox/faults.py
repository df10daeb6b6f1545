"""The queue of faults that the next calls meet; must not know HTTP: playing one is for `provider/playing.py`."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from agentmail.sandbox.clock import Moment
from agentmail.sandbox.jsontext import BadBodyError, JSONObject, make_error
from agentmail.sandbox.models import Fault

DEFAULT_WAIT_SECONDS = 60.0
MAX_WAIT_SECONDS = 600.0

ACCEPTING_SEND_FAULTS = frozenset({"accept_then_drop", "accept_then_500", "accept_then_hang", "slow", "no_ids"})
REFUSING_FAULTS = frozenset(
    {
        "drop",
        "timeout",
        "429",
        "400",
        "401",
        "404",
        "408",
        "422",
        "500",
        "503",
        "403_rejected",
        "403_suspended",
        "403_forbidden",
        "403_gateway",
        "409_in_flight",
    }
)
KINDS_BY_CHANNEL: dict[str, frozenset[str]] = {
    "send": ACCEPTING_SEND_FAULTS | REFUSING_FAULTS,
    "read": frozenset({"drop", "timeout", "slow", "429", "401", "404", "500", "503", "403_forbidden"}),
    "webhook": frozenset({"duplicate", "reorder", "drop", "delay", "disable"}),
}
_NUMBERS = {"seconds", "retry_after"}


@dataclass(frozen=True)
class FaultOrder:
    """One fault to play; `seconds` is how long it waits, `retry_after` the header of a 429 in seconds."""

    kind: str
    seconds: float | None = None
    retry_after: int | None = None


def queue_faults(body: JSONObject, at: Moment) -> None:
    """Appends faults from `{"send": […], "read": […], "webhook": […]}`; an entry is a name or an object.

    An object is `{"fault": name, "seconds"?: number, "retry_after"?: integer}`; one for the webhook channel may name
    the only `event_type` it is for. Raises BadBodyError, with nothing queued, when one entry is unknown.
    """
    rows: list[Fault] = []
    errors: list[JSONObject] = []
    for channel, entries in body.items():
        if channel not in KINDS_BY_CHANNEL:
            errors.append(make_error([channel], f"must be one of {_join(KINDS_BY_CHANNEL)}", "unknown_channel"))
        elif not isinstance(entries, list):
            errors.append(make_error([channel], "must be a list of faults", "invalid_type"))
        else:
            for index, entry in enumerate(entries):
                try:
                    rows.append(_read_entry(channel, entry, at))
                except ValueError as error:
                    errors.append(make_error([channel, index], str(error), "invalid_fault"))
    if errors:
        raise BadBodyError(errors)
    Fault.objects.bulk_create(rows)


def take_fault(channel: str, event_type: str = "") -> FaultOrder | None:
    """Removes and returns the channel's oldest fault; None when there is none. Two callers never get the same.

    A fault that names an event type waits for an event of that type.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM sandbox_fault
             WHERE id = (SELECT id FROM sandbox_fault
                          WHERE channel = %s AND coalesce(options ->> 'event_type', %s) = %s
                          ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1)
            RETURNING kind, options ->> 'seconds', options ->> 'retry_after'
            """,
            [channel, event_type, event_type],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    kind, seconds, retry_after = row
    return FaultOrder(
        kind=kind,
        seconds=None if seconds is None else float(seconds),
        retry_after=None if retry_after is None else int(retry_after),
    )


def list_faults() -> JSONObject:
    """Returns the waiting faults by channel, oldest first, in the form that `queue_faults` takes."""
    waiting: JSONObject = {channel: [] for channel in KINDS_BY_CHANNEL}
    for fault in Fault.objects.order_by("id"):
        waiting[fault.channel].append({"fault": fault.kind} | fault.options if fault.options else fault.kind)
    return waiting


def clear_faults() -> int:
    """Empties the queue; returns how many faults were waiting."""
    return Fault.objects.all().delete()[0]


def _read_entry(channel: str, entry: Any, at: Moment) -> Fault:
    options: JSONObject = {}
    kind = entry
    if isinstance(entry, dict):
        options = {name: value for name, value in entry.items() if name != "fault"}
        kind = entry.get("fault")
    if isinstance(kind, int) and not isinstance(kind, bool):
        kind = str(kind)
    if not isinstance(kind, str) or kind not in KINDS_BY_CHANNEL[channel]:
        raise ValueError(f"must be one of {_join(KINDS_BY_CHANNEL[channel])}")
    allowed = _NUMBERS | {"event_type"} if channel == "webhook" else _NUMBERS
    if not options.keys() <= allowed:
        raise ValueError(f"may have only these options: {_join(allowed)}")
    if not isinstance(options.get("event_type", ""), str):
        raise ValueError("event_type must be the name of an event")
    for name in options.keys() & _NUMBERS:
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_WAIT_SECONDS:
            raise ValueError(f"{name} must be a number from 0 to {MAX_WAIT_SECONDS:.0f}")
    if isinstance(options.get("retry_after"), float):
        raise ValueError("retry_after must be a whole number of seconds")
    return Fault(channel=channel, kind=kind, options=options, created_at=at.provider)


def _join(names: Any) -> str:
    return ", ".join(sorted(names))
