"""A browser that reports everything that goes wrong in it, and the real stack for tests that need a worker.

The packages are those of tests/e2e/requirements.txt; the browser is the system's own Chromium.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

from tests.live.stack import Stack

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OURS = ("127.0.0.1", "localhost")


@pytest.fixture(scope="session", autouse=True)
def _allow_the_database_beside_a_browser() -> None:
    # Playwright's own event loop runs in this thread, and Django would refuse every query because of it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium: nothing is downloaded."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.exit("There is no Chromium here: apt-get update && apt-get install -y chromium", returncode=2)
    return browser_type_launch_args | {"executable_path": found}


class Complaints:
    """What a browser context complained of, and which requests left this machine."""

    def __init__(self, context: BrowserContext) -> None:
        self.found: list[str] = []
        context.on("console", self._note_console)
        context.on("weberror", self._note_error)
        context.on("request", self._note_request)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"console {message.type}: {message.text}")

    def _note_error(self, error: WebError) -> None:
        self.found.append(f"page error: {error.error}")

    def _note_request(self, request: Request) -> None:
        place = urlsplit(request.url)
        if place.scheme in ("http", "https", "ws", "wss") and place.hostname not in OURS:
            self.found.append(f"outside request: {request.url}")


@pytest.fixture
def complaints(context: BrowserContext) -> Complaints:
    """What the test's own browser context has complained of so far."""
    return Complaints(context)


@pytest.fixture(autouse=True)
def _fail_on_any_complaint(complaints: Complaints) -> Iterator[None]:
    yield
    assert complaints.found == []


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One real installation for all tests that need a worker."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    yield running
    assert running.stop() == 0
