"""A newcomer's first case: from the mailbox's first page to its end, without a terminal."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.live.stack import Stack

pytestmark = pytest.mark.e2e

PATIENCE_MS = 30_000


def start_sample(page: Page, stack: Stack, title: str) -> None:
    """Opens a sample case from the mailbox's first page; returns on the conversation with its first mail."""
    page.goto(stack.description["sandbox"])
    page.get_by_role("button", name=f"Start: {title}").click()
    page.wait_for_url("**/sandbox/threads/**", timeout=PATIENCE_MS)
    expect(page.locator("#state")).to_contain_text("RUNNING", timeout=PATIENCE_MS)


def send_ready_made(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_label("Your reply")).to_have_value(re.compile(r"^Hello,\n"))
    page.get_by_role("button", name="Send the reply").click()


def test_a_newcomer_goes_from_the_mailboxs_first_page_to_a_completed_case(page: Page, stack: Stack) -> None:
    page.goto(stack.description["sandbox"])
    expect(page.get_by_label("About this page")).to_contain_text("no mail leaves this machine")

    start_sample(page, stack, "Collect a signed W-9")
    expect(page.locator("#messages")).to_contain_text("Could you please send me a signed W-9?")
    send_ready_made(page, "Complete answer")

    expect(page.locator("#state")).to_contain_text("COMPLETED", timeout=PATIENCE_MS)
    expect(page.locator("#facts")).to_contain_text("Tax ID12-3456789")
    expect(page.locator("#messages")).to_contain_text("W-9.pdf")
    page.get_by_role("link", name="webhooks that its client got").click()
    expect(page.get_by_role("heading", name="case.completed")).to_be_visible()


def test_half_an_answer_is_asked_for_again_and_completed_in_ones_own_words_and_file(page: Page, stack: Stack) -> None:
    start_sample(page, stack, "Collect a signed W-9")
    send_ready_made(page, "Half of the answer")
    reply = page.get_by_label("Your reply")
    reply.fill("Hi Ana,\n\nTax ID: 98-7654321\n\nMaya")

    expect(page.locator("#messages")).to_contain_text("Could you please also send me", timeout=PATIENCE_MS)
    # What was being written is still there when the page has renewed itself.
    expect(reply).to_have_value("Hi Ana,\n\nTax ID: 98-7654321\n\nMaya")
    file: FilePayload = {"name": "form.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 signed"}
    page.get_by_label("Files").set_input_files(file)
    page.get_by_role("button", name="Send the reply").click()

    expect(page.locator("#state")).to_contain_text("COMPLETED", timeout=PATIENCE_MS)
    expect(page.locator("#facts")).to_contain_text("Tax ID98-7654321")
    expect(page.locator("#messages")).to_contain_text("form.pdf")


def test_three_silent_days_bring_the_follow_up_while_one_watches(page: Page, stack: Stack) -> None:
    start_sample(page, stack, "Find a meeting slot")

    page.get_by_role("button", name="3 days").click()

    expect(page.locator("#facts")).to_contain_text("Mails sent2", timeout=PATIENCE_MS)
    expect(page.locator("#messages > li")).to_have_count(2)
    expect(page.locator("#state")).to_contain_text("It waits for your reply.")


def test_orders_to_the_agent_are_obeyed_by_nobody_and_shown_to_a_human(page: Page, stack: Stack) -> None:
    start_sample(page, stack, "Confirm a delivery date")

    send_ready_made(page, "Orders to the agent")

    expect(page.locator("#state")).to_contain_text("INPUT_NEEDED", timeout=PATIENCE_MS)
    expect(page.locator("#facts")).to_contain_text("gives orders to an automatic reader")
    expect(page.locator("#facts")).to_contain_text("Mails sent1")


def test_a_bounced_mail_ends_the_case_before_ones_eyes(page: Page, stack: Stack) -> None:
    start_sample(page, stack, "Confirm a delivery date")

    page.get_by_role("button", name="Bounce the last mail").click()

    expect(page.locator("#state")).to_contain_text("FAILED", timeout=PATIENCE_MS)
    expect(page.locator("#facts")).to_contain_text("Ended asBOUNCED")


def test_all_of_it_works_without_javascript(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stack.description["sandbox"])
    page.get_by_role("button", name="Start: Collect a signed W-9").click()

    def look_again(wanted: str) -> None:
        for _ in range(100):
            if page.get_by_text(wanted).first.is_visible():
                return
            page.get_by_role("link", name="look again").first.click()
            page.wait_for_timeout(200)
        raise AssertionError(f"{wanted} did not come")

    look_again("Could you please send me a signed W-9?")
    send_ready_made(page, "Complete answer")
    look_again("The goal is achieved, and the client has its result.")
    context.close()
