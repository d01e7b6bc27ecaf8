"""How a page is looked at: by those who see it light or dark, on a telephone, enlarged, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from axe_playwright_python.sync_playwright import Axe, AxeResults
from playwright.sync_api import Page

from tests.browser.conftest import SCREENSHOTS

Scheme = Literal["light", "dark"]


class Sight(NamedTuple):
    """A window, in CSS pixels, and the colours that its owner asks for."""

    name: str
    width: int
    height: int
    scale: int
    scheme: Scheme


SIGHTS = (
    Sight("", 1200, 900, 1, "light"),
    Sight("-dark", 1200, 900, 1, "dark"),
    # At 200 % a browser has half of its window left, and draws each pixel of it as four.
    Sight("-zoomed", 600, 450, 2, "dark"),
    Sight("-320", 320, 700, 1, "light"),
)

# Texts and fields that end outside of the window, or of what hides what does not fit; not what hides all there is.
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


def look(page: Page, name: str, *parts: str) -> None:
    """Keep pictures of the page, and let nothing of it shut anybody out, be cut off, or need sideways scrolling.

    Of a page that is not ours but for some parts, hold only these against the rules: Django's have faults of theirs.
    """
    SCREENSHOTS.mkdir(exist_ok=True)
    page.wait_for_load_state("load")
    # Of the admin, which is slow to draw, what is dark is looked at enlarged alone.
    for sight in [sight for sight in SIGHTS if not (parts and sight.name == "-dark")]:
        page.set_viewport_size({"width": sight.width, "height": sight.height})
        show(page, sight.scheme)
        seen = f"{name}{sight.name}"
        page.screenshot(path=SCREENSHOTS / f"{seen}.png", full_page=True)
        with scaled(page, sight):
            assert page.evaluate("[innerWidth, devicePixelRatio]") == [sight.width, sight.scale]
            assert page.evaluate("document.documentElement.scrollWidth") <= sight.width, f"{seen} scrolls sideways"
            assert page.evaluate(CUT_OFF, list(parts)) == [], f"{seen} has something that is cut off"
            found = faults(page, *parts)
            assert found.violations_count == 0, f"{seen}: {found.generate_report()}"
    page.set_viewport_size({"width": 1200, "height": 900})
    show(page, "light")


@contextmanager
def scaled(page: Page, sight: Sight) -> Iterator[None]:
    """Have each pixel of the page drawn as several; Playwright itself does so only from the start."""
    if sight.scale == 1:
        yield
        return
    metrics = {"width": sight.width, "height": sight.height, "deviceScaleFactor": sight.scale, "mobile": False}
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setDeviceMetricsOverride", metrics)
    yield
    session.detach()


def faults(page: Page, *parts: str) -> AxeResults:
    """Ask axe what is wrong with the page, or with parts of it."""
    axe = Axe()
    # Once for each page, since it is half a megabyte.
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.axe_script)
    context = {"include": [[part] for part in parts or ("html",)]}
    # Its copies of style sheets would be style elements, which the page's policy forbids.
    options = {"resultTypes": ["violations"], "preload": False}
    found = page.evaluate("both => axe.run(...both).then(({ violations }) => ({ violations }))", [context, options])
    return AxeResults(found)


def show(page: Page, scheme: Scheme) -> None:
    """Show the page in a colour scheme, and wait until its colours have faded into it."""
    page.emulate_media(color_scheme=scheme)
    page.evaluate("Promise.all(document.getAnimations().map(each => each.finished))")
