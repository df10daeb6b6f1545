"""What the mailbox shows of cases beside the mail, as HTML; must not know how the mailbox's pages are built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone

from agentmail.sandbox.beside import Beside, Note
from cases.models import Case
from cases.sandbox.samples import SAMPLES
from cases.sandbox.telling import NOTES, find_question, list_moments, list_results, tell_state
from cases.workflow import Status

SPANS = (("1", "1 hour"), ("24", "1 day"), ("72", "3 days"))


def render_case(request: HttpRequest, case: Case, now: datetime) -> str:
    """Returns the HTML of what the case does at `now`, the real clock, with the forms that let its time pass."""
    moments = list_moments(case)
    context = {
        "case": case,
        "note": NOTES[Status(case.status)],
        "state": tell_state(case, moments),
        "moments": moments,
        "question": find_question(case),
        "results": list_results(case),
        "has_ended": Status(case.status).is_terminal,
        "clock": case.get_now(now),
        "spans": SPANS,
        "console_url": f"{_get_web_url()}/admin/cases/case/{case.id}/change/",
    }
    return render_to_string("cases/sandbox/case.html", context, request)


def _get_web_url() -> str:
    # The process that takes the provider's webhook serves the console too.
    parts = urlsplit(settings.OFFLOAD_SANDBOX_WEBHOOK_URL)
    return f"{parts.scheme}://{parts.netloc}"


def _show_case(request: HttpRequest, thread_id: str) -> str:
    case = Case.objects.filter(thread_id=thread_id).first()
    return render_case(request, case, timezone.now()) if case is not None else ""


def _show_start(request: HttpRequest) -> str:
    return render_to_string("cases/sandbox/start.html", {"samples": SAMPLES.items(), "api": _get_web_url()}, request)


def _note_threads(thread_ids: Sequence[str]) -> Mapping[str, Note]:
    known = Case.objects.filter(thread_id__in=thread_ids).order_by().values_list("thread_id", "status")
    return {thread_id: NOTES[Status(status)] for thread_id, status in known}


BESIDE = Beside(show_start=_show_start, show_case=_show_case, note_threads=_note_threads)
