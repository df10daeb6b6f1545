"""What every page is held to: no axe violation in light or dark, and no sideways scrolling at 360 px."""

from __future__ import annotations

from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

NARROW: ViewportSize = {"width": 360, "height": 740}
WIDE: ViewportSize = {"width": 1366, "height": 900}
# Without "preload" axe would fetch the style sheets and put them into the page, which its policy refuses.
EVERYTHING = {"resultTypes": ["violations"], "preload": False}
# How colours meet is all that a dark theme changes.
CONTRAST = EVERYTHING | {"runOnly": ["color-contrast"]}


def find_faults(page: Page) -> list[str]:
    """Returns one line for each thing wrong with the page that is open; leaves it light and wide."""
    _show(page, "light", WIDE)
    faults = _find_violations(page, "light", EVERYTHING)
    _show(page, "light", NARROW)
    faults += _find_overflow(page)
    _show(page, "dark", NARROW)
    faults += _find_violations(page, "dark", CONTRAST)
    _show(page, "light", WIDE)
    return faults


def _show(page: Page, scheme: Literal["light", "dark"], size: ViewportSize) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    # Half-way through a transition a colour is neither the old nor the new one.
    page.evaluate("document.getAnimations().forEach(animation => animation.cancel())")


def _find_violations(page: Page, scheme: str, options: dict[str, object]) -> list[str]:
    found = Axe().run(page, options=options).response["violations"]
    return [f"{scheme}: {entry['id']} at {node['target']}" for entry in found for node in entry["nodes"]]


def _find_overflow(page: Page) -> list[str]:
    width = page.evaluate("document.documentElement.scrollWidth")
    return [f"scrolls sideways at 360 px: {width} px wide"] if width > NARROW["width"] else []
