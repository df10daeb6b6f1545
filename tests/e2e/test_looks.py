"""Every page in light and dark, at 1366 and at 360 px: what an accessibility check and a narrow screen find."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from tests.e2e.console import Console, fill_console, sign_in
from tests.e2e.looks import find_faults
from tests.live.stack import Stack

pytestmark = pytest.mark.e2e


@pytest.fixture
def console(live_server: LiveServer) -> Console:
    return fill_console()


def list_console_pages(console: Console) -> list[str]:
    case = f"/admin/cases/case/{console.case.id}"
    lists = [
        "cases/case",
        "cases/client",
        "agentmail/inboundemail",
        "agentmail/outboundemail",
        "agentmail/providerevent",
        "agentmail/suppressedaddress",
        "agentmail/declinedaddress",
        "webhooks/delivery",
        "webhooks/endpoint",
        "auth/user",
        "auth/group",
        "django_celery_beat/periodictask",
    ]
    return [
        "/admin/",
        *[f"/admin/{name}/" for name in lists],
        f"{case}/change/",
        f"{case}/actions/cancel/",
        f"{case}/actions/pause/",
        f"{case}/steps/{console.dead_event.pk}/give-up/",
        f"{case}/mails/{console.mail.pk}/headers/",
        f"/admin/agentmail/inboundemail/{console.mail.pk}/change/",
        f"/admin/cases/client/{console.case.client_id}/change/",
        f"/admin/webhooks/delivery/{console.delivery.pk}/change/",
        "/admin/password_change/",
    ]


def test_no_page_of_the_console_has_a_fault(
    page: Page, context: BrowserContext, live_server: LiveServer, console: Console
) -> None:
    sign_in(context, live_server.url, "superuser")
    faults: list[str] = []
    for path in list_console_pages(console):
        answer = page.goto(live_server.url + path)
        status = answer.status if answer else 0
        found = find_faults(page) if status == 200 else [f"answered {status}"]
        faults += [f"{path} {fault}" for fault in found]
    assert "\n".join(faults) == ""


def test_the_login_page_has_no_fault(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/admin/")

    assert find_faults(page) == []


def test_no_page_of_the_sandbox_has_a_fault(page: Page, stack: Stack) -> None:
    page.goto(stack.description["sandbox"])
    page.get_by_role("button", name="Start: Collect a signed W-9").click()
    page.wait_for_url("**/sandbox/threads/**", timeout=30_000)
    conversation = page.url.partition("?")[0]
    faults: list[str] = []
    for url in (stack.description["sandbox"], f"{conversation}?reply=answer", stack.description["webhook_receiver"]):
        page.goto(url)
        faults += [f"{url} {fault}" for fault in find_faults(page)]
    assert "\n".join(faults) == ""


def test_the_first_tab_stop_leads_past_the_head_and_shows_where_one_is(page: Page, stack: Stack) -> None:
    page.goto(stack.description["sandbox"])

    page.keyboard.press("Tab")

    focused = page.locator(":focus")
    assert focused.inner_text() == "Skip to the content"
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
