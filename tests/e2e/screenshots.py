"""Takes the screenshots of the documentation anew (./dev test tests/e2e/screenshots.py); no other run collects it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.live.stack import ROOT, Stack
from tests.live.test_first_case import W9

pytestmark = pytest.mark.e2e

IMAGES = ROOT / "docs" / "images"
SIZE: ViewportSize = {"width": 1366, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, object]) -> dict[str, object]:
    return browser_context_args | {"viewport": SIZE}


COMPLETE = "Legal name: {company}\nTax ID: 98-7654321"
# Who, of which company, what for, and what they answer: a list of cases as a morning brings it.
OTHERS = (
    ("Omar Haddad", "Eastwind Freight", "Collect a signed W-9 from Omar at Eastwind Freight", COMPLETE),
    ("Priya Nair", "Harbour Print", "Collect a signed W-9 from Priya at Harbour Print", COMPLETE),
    ("Tom Becker", "Becker & Sons", "Get the vendor details of Becker & Sons", "Please stop writing to me."),
    ("Lucía Ortega", "Ortega Foods", "Confirm the delivery date of order 77", ""),
    ("Jonas Weber", "Alpina Tools", "Get the insurance certificate for 2027", ""),
    ("Grace Kim", "Lumen Labs", "Collect a signed W-9 from Grace at Lumen Labs", "Which year is it for?"),
)


def open_others(stack: Stack) -> None:
    for number, (name, company, objective, answer) in enumerate(OTHERS):
        address = f"{name.split()[0].lower()}@company-{number}.example".replace("í", "i")
        counterparty = {"name": name, "address": address, "company": company}
        case_id = stack.open_case(counterparty=counterparty, goal={"objective": objective})
        thread_id = stack.wait_for_mail(case_id)["thread_id"]
        if answer:
            stack.reply(thread_id, answer.format(company=company), attachments=[W9] if answer == COMPLETE else [])
            stack.wait_for_status(case_id, "COMPLETED", "FAILED", "INPUT_NEEDED")


def shoot(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


def test_the_mailbox(page: Page, stack: Stack) -> None:
    page.goto(stack.description["sandbox"])
    page.get_by_role("button", name="Start: Collect a signed W-9").click()
    page.wait_for_url("**/sandbox/threads/**", timeout=30_000)
    expect(page.locator("#state")).to_contain_text("RUNNING", timeout=30_000)
    page.get_by_role("link", name="Complete answer").click()
    page.get_by_role("button", name="Send the reply").click()
    expect(page.locator("#state")).to_contain_text("COMPLETED", timeout=30_000)
    page.goto(page.url.partition("?")[0])
    shoot(page, "sandbox-case")
    page.goto(stack.description["sandbox"])
    shoot(page, "sandbox-mailbox")


def test_the_console(page: Page, stack: Stack) -> None:
    open_others(stack)
    maya = {"name": "Maya Lindqvist", "address": "maya@northstar.example", "company": "Northstar"}
    case_id = stack.open_case(counterparty=maya)
    stack.reply(stack.wait_for_mail(case_id)["thread_id"], "Hi Ana,\n\nwhich of our two companies is it for?\n\nMaya")
    stack.wait_for_status(case_id, "INPUT_NEEDED")
    staff = stack.description["staff"]["support"]
    page.goto(stack.description["admin"])
    page.get_by_label("Username").fill(staff["username"])
    page.get_by_label("Password").fill(staff["password"])
    page.get_by_role("button", name="Log in").click()
    for name, path in (("overview", ""), ("cases", "cases/case/"), ("case", f"cases/case/{case_id}/change/")):
        page.goto(stack.description["admin"] + path)
        shoot(page, f"console-{name}")
    page.emulate_media(color_scheme="dark")
    page.reload()
    shoot(page, "console-case-dark")
    page.set_viewport_size(PHONE)
    shoot(page, "console-phone-dark")
