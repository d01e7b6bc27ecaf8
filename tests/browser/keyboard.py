"""Keyboard navigation of a page: all stops are visible, in order, and not a trap."""

from typing import Any

from playwright.sync_api import Locator, Page

MAX_STOPS = 200

# The focused element, if any, and its problem. `before` is the element that had the focus before.
STOP = """within => {
    const stop = document.activeElement
    const before = window.stoodAt
    // Without a window around the page, the last stop may lead back to the first.
    if (!stop || stop === document.body || (before && stop === window.firstStop)) return window.stoodAt = null
    if (!before) window.firstStop = stop
    window.stoodAt = stop
    const name = `${stop.tagName.toLowerCase()} ${(stop.innerText || stop.value || stop.title || "").trim()}`
    if (!document.querySelector(within).contains(stop)) return { name, wrong: "" }
    const box = stop.getBoundingClientRect()
    const style = getComputedStyle(stop)
    const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0
    const seen = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0
    const follows = !before || before.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_FOLLOWING
    let wrong = ""
    if (stop.tagName !== "IFRAME" && !ringed && style.boxShadow === "none") wrong = "no visible focus"
    if (!seen) wrong = "out of sight"
    if (!follows) wrong = "out of turn"
    return { name, wrong }
}"""


def walk(page: Page, within: str = "body") -> list[str]:
    """Move the focus through the whole page; return its stops. Check those within a part of the page."""
    page.wait_for_load_state("load")
    stops: list[str] = []
    for _ in range(MAX_STOPS):
        page.keyboard.press("Tab")
        stop: dict[str, Any] | None = page.evaluate(STOP, within)
        if stop is None:
            return stops
        assert stop["wrong"] == "", f"{stop['name']}: {stop['wrong']}, after {stops}"
        stops.append(stop["name"])
    raise AssertionError(f"The keyboard does not get out of the page: {stops[-10:]}")


def reach(page: Page, target: Locator) -> None:
    """Move the focus to an element."""
    for _ in range(MAX_STOPS):
        if target.evaluate("target => target === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"The keyboard does not get to {target}.")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    """Move the focus to an element, and press a key."""
    target.wait_for()
    reach(page, target)
    page.keyboard.press(key)
