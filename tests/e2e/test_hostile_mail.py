"""Mail that attacks its reader: shown as words, and as its sender formatted it, it runs nothing and asks nobody."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.e2e.conftest import Complaints
from tests.e2e.console import fill_console, sign_in

pytestmark = pytest.mark.e2e


def test_hostile_mail_is_inert_on_the_page_of_its_case(
    page: Page, context: BrowserContext, live_server: LiveServer
) -> None:
    console = fill_console()
    sign_in(context, live_server.url, "Support")

    page.goto(f"{live_server.url}/admin/cases/case/{console.case.id}/change/")

    expect(
        page.locator(".words", has_text='<script>document.title = "owned"</script>').locator("visible=true").first
    ).to_be_visible()
    expect(page.locator(".words", has_text="{{ 7 }} {% debug %}").locator("visible=true").first).to_be_visible()
    assert page.title() != "owned"
    assert page.locator("main script, main img, a[href^='javascript:']").count() == 0


def test_html_mail_runs_nothing_and_asks_nobody_inside_its_frame(
    page: Page, context: BrowserContext, live_server: LiveServer, complaints: Complaints
) -> None:
    console = fill_console()
    sign_in(context, live_server.url, "Support")
    case_url = f"{live_server.url}/admin/cases/case/{console.case.id}/change/"
    page.goto(case_url)

    page.get_by_text("As the sender formatted it").first.click()

    frame = page.frame_locator("iframe[sandbox]").first
    expect(frame.get_by_text("signed form")).to_be_visible()
    assert frame.locator("script, iframe, object, form, input, svg, base, meta[http-equiv=refresh]").count() == 0
    assert frame.locator("a[href^='javascript:'], [onload], [onerror]").count() == 0
    assert page.url == case_url
    assert page.title() != "owned"
    assert complaints.found == []


def test_html_mail_is_inert_where_somebody_opens_it_outside_its_frame(
    page: Page, context: BrowserContext, live_server: LiveServer
) -> None:
    console = fill_console()
    sign_in(context, live_server.url, "Support")
    url = f"{live_server.url}/admin/cases/case/{console.case.id}/mails/{console.mail.pk}/formatted/"

    answer = page.goto(url)

    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    expect(page.get_by_text("signed form")).to_be_visible()
    assert (page.url, page.title() == "owned") == (url, False)
