"""Accessibility and layout of a page: light and dark, on a phone, and enlarged; checked with axe."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from axe_playwright_python.sync_playwright import Axe, AxeResults
from playwright.sync_api import Page

from tests.browser.conftest import SCREENSHOTS

Scheme = Literal["light", "dark"]


class Viewport(NamedTuple):
    """A window size in CSS pixels with a device pixel ratio and a colour scheme."""

    name: str
    width: int
    height: int
    scale: int
    scheme: Scheme


VIEWPORTS = (
    Viewport("", 1200, 900, 1, "light"),
    Viewport("-dark", 1200, 900, 1, "dark"),
    # At 200 %, the window has half as many CSS pixels in each direction.
    Viewport("-zoomed", 600, 450, 2, "dark"),
    Viewport("-320", 320, 700, 1, "light"),
)

# Texts and fields that are cut off by the window or by a container that hides its overflow.
CUT_OFF = """parts => {
    const wide = document.documentElement.clientWidth
    const outside = (text, box) => text.left < box.left - 1 || text.right > box.right + 1
    const cut = []
    const isShown = node => node.nodeType === Node.TEXT_NODE ? node.data.trim() : node.matches("input,select,textarea")
    for (const part of parts.length ? document.querySelectorAll(parts.join()) : [document.body]) {
        const nodes = document.createTreeWalker(part, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT)
        while (nodes.nextNode()) {
            const { currentNode: node } = nodes
            if (!isShown(node) || !node.parentElement.checkVisibility({ visibilityProperty: true })) continue
            const boxes = [{ left: 0, right: wide }]
            let hidden = false
            for (let around = node.parentElement; around && around !== document.body; around = around.parentElement) {
                const { overflowX } = getComputedStyle(around)
                const box = around.getBoundingClientRect()
                if (overflowX === "visible") continue
                if (overflowX !== "hidden" && overflowX !== "clip") boxes.length = 0  // there it can be scrolled to
                else if (box.width <= 1) hidden = true
                else boxes.push(box)
            }
            const range = document.createRange()
            range.selectNode(node)
            const drawn = [...range.getClientRects()].filter(rect => rect.width)
            if (!hidden && drawn.some(rect => boxes.some(box => outside(rect, box)))) cut.push(node.data || node.name)
        }
    }
    return cut
}"""


def check_page(page: Page, name: str, *parts: str) -> None:
    """Take screenshots; check accessibility, cut-off texts and horizontal scrolling.

    With `parts`, check only these, because the rest of the page is Django's.
    """
    SCREENSHOTS.mkdir(exist_ok=True)
    page.wait_for_load_state("load")
    # The admin is slow to render, so its dark scheme is only checked when enlarged.
    for viewport in [viewport for viewport in VIEWPORTS if not (parts and viewport.name == "-dark")]:
        page.set_viewport_size({"width": viewport.width, "height": viewport.height})
        show(page, viewport.scheme)
        picture = f"{name}{viewport.name}"
        page.screenshot(path=SCREENSHOTS / f"{picture}.png", full_page=True)
        with scaled(page, viewport):
            assert page.evaluate("[innerWidth, devicePixelRatio]") == [viewport.width, viewport.scale]
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport.width, (
                f"{picture} scrolls sideways"
            )
            assert page.evaluate(CUT_OFF, list(parts)) == [], f"{picture} has something that is cut off"
            found = run_axe(page, *parts)
            assert found.violations_count == 0, f"{picture}: {found.generate_report()}"
    page.set_viewport_size({"width": 1200, "height": 900})
    show(page, "light")


@contextmanager
def scaled(page: Page, viewport: Viewport) -> Iterator[None]:
    """Emulate a device pixel ratio. Playwright only supports it when a window is opened."""
    if viewport.scale == 1:
        yield
        return
    metrics = {"width": viewport.width, "height": viewport.height, "deviceScaleFactor": viewport.scale, "mobile": False}
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setDeviceMetricsOverride", metrics)
    yield
    session.detach()


def run_axe(page: Page, *parts: str) -> AxeResults:
    """Return the accessibility violations in a page or in parts of it."""
    axe = Axe()
    # Load axe once for each page, because it has half a megabyte.
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.axe_script)
    context = {"include": [[part] for part in parts or ("html",)]}
    # Preloaded style sheets would be style elements, which the page's CSP forbids.
    options = {"resultTypes": ["violations"], "preload": False}
    found = page.evaluate("both => axe.run(...both).then(({ violations }) => ({ violations }))", [context, options])
    return AxeResults(found)


def show(page: Page, scheme: Scheme) -> None:
    """Show the page in a colour scheme, and wait for its transitions."""
    page.emulate_media(color_scheme=scheme)
    page.evaluate("Promise.all(document.getAnimations().map(each => each.finished))")
