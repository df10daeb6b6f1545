"""The morning of a support agent: from the login to an answered case in at most five clicks."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.live.stack import Stack

pytestmark = pytest.mark.e2e

PATIENCE_MS = 30_000


class Mouse:
    """Counts the clicks."""

    def __init__(self) -> None:
        self.clicks = 0

    def click(self, place: Locator) -> None:
        place.click()
        self.clicks += 1


def test_a_support_agent_answers_the_waiting_question_in_at_most_five_clicks(page: Page, stack: Stack) -> None:
    case_id = stack.open_case()
    outreach = stack.wait_for_mail(case_id)
    stack.reply(outreach["thread_id"], "Hi Ana,\n\nwhich of our two companies do you need it for?\n\nMaya")
    stack.wait_for_status(case_id, "INPUT_NEEDED")
    staff = stack.description["staff"]["support"]
    mouse = Mouse()

    page.goto(stack.description["admin"])
    page.get_by_label("Username").fill(staff["username"])
    page.get_by_label("Password").fill(staff["password"])
    mouse.click(page.get_by_role("button", name="Log in"))
    # The first thing on the dashboard is who has waited longest.
    mouse.click(page.locator(f'a[href*="/admin/cases/case/{case_id}/"]').first)
    page.get_by_label("Your answer").fill("Tell them it is for Northstar LLC.")
    mouse.click(page.get_by_role("button", name="Answer", exact=True))

    expect(page.locator("main")).to_contain_text("Tell them it is for Northstar LLC.", timeout=PATIENCE_MS)
    assert mouse.clicks <= 5
    assert stack.wait_for_status(case_id, "RUNNING")["inputRequest"]["status"] == "RESOLVED"
    assert "Northstar LLC" in stack.wait_for_mail(case_id, 2)["text"]
