"""Makes all checks at once and waits for them a bounded time; must not let one that fails or hangs hide the others."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from django.conf import settings
from django.db import connection

from offload.doctor import configuration, services
from offload.doctor.findings import Finding, fail
from offload.doctor.mail import check_mail
from offload.doctor.places import Place, find_place

PATIENCE_S = 45.0

Check = Callable[[], list[Finding]]


def list_checks(place: Place, read_clock: Callable[[], datetime]) -> dict[str, Check]:
    """Returns every check by the name that stands in the report if it does not end."""
    return {
        "settings": lambda: configuration.check_settings(settings),
        "django": lambda: configuration.check_django(settings),
        "static files": lambda: configuration.check_static(settings, place),
        "database": lambda: services.check_database(place),
        "clock": lambda: services.check_clock(read_clock()),
        "queue": lambda: services.check_queue(place),
        "beat": lambda: services.check_processes(place),
        "mail": lambda: check_mail(place, read_clock),
        "model": services.check_model,
        "client webhooks": lambda: [*configuration.check_webhooks(settings), *services.check_signing(place)],
    }


def examine(checks: Mapping[str, Check], *, patience_s: float = PATIENCE_S) -> list[Finding]:
    """Returns the findings of all checks in their order; raises nothing.

    A check that raises is a finding that says so; one that has not ended after `patience_s` is left behind.
    """
    done: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()
    for name, check in checks.items():
        threading.Thread(target=_run, args=(name, check, done), name=name, daemon=True).start()
    ends_at = time.monotonic() + patience_s
    found: dict[str, list[Finding]] = {}
    while len(found) < len(checks):
        try:
            name, findings = done.get(timeout=max(ends_at - time.monotonic(), 0.001))
        except queue.Empty:
            break
        found[name] = findings
    late = f"no answer within {patience_s:g} s"
    return [each for name in checks for each in found.get(name, [fail(name, late, "look at it by hand")])]


def examine_here(read_clock: Callable[[], datetime]) -> list[Finding]:
    """Returns the findings about the installation that this process's settings describe."""
    return examine(list_checks(find_place(settings.OFFLOAD_MODE), read_clock))


def _run(name: str, check: Check, done: queue.SimpleQueue[tuple[str, list[Finding]]]) -> None:
    try:
        findings = check()
    except Exception as error:  # whatever a check meets, the operator gets the other findings
        findings = [fail(name, f"the check itself failed: {type(error).__name__}: {services.first_line(error)}")]
    finally:
        # It belongs to this thread.
        connection.close()
    done.put((name, findings))
