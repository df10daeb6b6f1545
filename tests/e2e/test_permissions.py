"""What people of each group find page by page: what they may open, what is refused, and which buttons they see."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from tests.e2e.console import Console, fill_console, sign_in

pytestmark = pytest.mark.e2e

EVERYBODY = {"Support", "Operator", "Auditor"}
HANDS = {"Support", "Operator"}
# Who may open the page; everybody else gets 403. "{…}" are ids of the rows.
PAGES: dict[str, set[str]] = {
    "/admin/": EVERYBODY | {"nobody"},
    "/admin/cases/case/": EVERYBODY,
    "/admin/cases/case/{case}/change/": EVERYBODY,
    "/admin/cases/case/{case}/mails/{mail}/headers/": EVERYBODY,
    "/admin/cases/case/{case}/mails/{mail}/formatted/": EVERYBODY,
    "/admin/cases/case/{case}/actions/cancel/": HANDS,
    "/admin/cases/case/{case}/actions/pause/": HANDS,
    "/admin/cases/case/{case}/actions/complete/": {"Operator"},
    "/admin/cases/case/{case}/actions/fail/": {"Operator"},
    "/admin/cases/case/{case}/steps/{event}/give-up/": {"Operator"},
    "/admin/cases/client/": EVERYBODY,
    "/admin/agentmail/inboundemail/": EVERYBODY,
    "/admin/agentmail/suppressedaddress/": EVERYBODY,
    "/admin/webhooks/delivery/": EVERYBODY,
    "/admin/webhooks/delivery/{delivery}/resend/": HANDS,
    "/admin/webhooks/endpoint/": EVERYBODY,
    "/admin/django_celery_beat/periodictask/": {"Operator", "Auditor"},
    "/admin/auth/user/": {"Auditor"},
    "/admin/auth/group/": {"Auditor"},
    "/admin/auth/user/add/": set(),
}
# What the page of a case that waits for an answer offers.
OFFERS: dict[str, set[str]] = {
    "Answer": HANDS,
    "Cancel": HANDS,
    "Pause": HANDS,
    "Close with a result": {"Operator"},
    "Close as failed": {"Operator"},
}


def fill_in(path: str, console: Console) -> str:
    return path.format(
        case=console.case.pk, mail=console.mail.pk, event=console.dead_event.pk, delivery=console.delivery.pk
    )


@pytest.mark.parametrize("group", ["Support", "Operator", "Auditor", "nobody"])
def test_each_group_opens_its_pages_and_no_others(
    page: Page, context: BrowserContext, live_server: LiveServer, group: str
) -> None:
    console = fill_console()
    sign_in(context, live_server.url, group)

    # Without drawing them: the browser would report each refusal as a fault of the page.
    found = {path: page.request.get(live_server.url + fill_in(path, console), max_redirects=0).status for path in PAGES}

    assert found == {path: 200 if group in allowed else 403 for path, allowed in PAGES.items()}


@pytest.mark.parametrize("group", ["Support", "Operator", "Auditor"])
def test_the_page_of_a_case_offers_each_group_what_it_may_do(
    page: Page, context: BrowserContext, live_server: LiveServer, group: str
) -> None:
    console = fill_console()
    sign_in(context, live_server.url, group)

    page.goto(f"{live_server.url}/admin/cases/case/{console.case.id}/change/")

    offered = page.locator("main :is(a, button)").all_inner_texts()
    assert set(offered) & OFFERS.keys() == {name for name, allowed in OFFERS.items() if group in allowed}


def test_who_has_no_group_finds_an_overview_without_a_single_case(
    page: Page, context: BrowserContext, live_server: LiveServer
) -> None:
    console = fill_console()
    sign_in(context, live_server.url, "nobody")

    page.goto(f"{live_server.url}/admin/")

    shown = page.locator("body").inner_text()
    assert console.case.counterparty_name not in shown
    assert "Old name or new name?" not in shown
    assert page.locator("a[href*='/admin/cases/']").count() == 0


def test_nobody_sees_a_key_or_its_digest_on_any_page(
    page: Page, context: BrowserContext, live_server: LiveServer
) -> None:
    console = fill_console()
    sign_in(context, live_server.url, "superuser")
    key = console.case.client.api_keys.get()

    for path in (f"/admin/cases/client/{console.case.client_id}/change/", "/admin/cases/client/"):
        page.goto(live_server.url + path)
        assert key.digest not in page.content()
