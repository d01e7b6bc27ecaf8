# ruff: noqa: INP001  (a script, and no part of a package)
"""The pictures of the documentation: a few of those that the browser tests take, cut to size and made small.

`make screenshots` runs the tests, then this. What the tests saw is in `.screenshots`. Two pictures are taken here:
of the click, in narrower windows, and of a part of a page.
"""

import shutil
import sys
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import FloatRect, Page, ViewportSize, sync_playwright

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from tests.browser.conftest import served  # noqa: E402  (the example, served as the browser tests have it)

TAKEN = DOCS.parent / ".screenshots"

# By name: the picture that was taken, and how much of its height is shown.
PICTURES = {
    "choose": ("choose", 520),
    "unavailable": ("unavailable", 390),
    "link": ("link", 430),
    "accesses": ("admin-accesses", 720),
}
COLOURS = 128
# Of the windows of the click, and how much smaller they are shown.
WIDTH, HEIGHT, SCALE, GAP, GROUND = 960, 880, 0.75, 24, "#e2e4ea"


def main() -> None:
    """Make all of them."""
    for name, (taken, height) in PICTURES.items():
        with Image.open(TAKEN / f"{taken}.png") as picture:
            save(
                picture.crop((0, 0, picture.width, min(height, picture.height))),
                DOCS / "images" / name,
            )
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with TemporaryDirectory() as folder, served(Path(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        window = partial(browser.new_page, viewport=ViewportSize(width=WIDTH, height=HEIGHT), reduced_motion="reduce")
        save(side_by_side(*click(window(), address)), DOCS / "demo")
        save(preview(window(), address), DOCS / "images" / "preview")
        browser.close()


def click(page: Page, address: str) -> Iterator[Image.Image]:
    """Press Billing in the example, and picture the page before and the page after it."""
    page.goto(address)
    page.get_by_role("button", name="Sign in as Sam", exact=True).click()
    page.get_by_role("status").wait_for()
    yield taken_of(page)
    page.get_by_role("banner").get_by_role("link", name="Billing").click()
    page.wait_for_url("**/sandbox/hs/*")
    yield taken_of(page)


def taken_of(page: Page) -> Image.Image:
    """Picture what is in the window."""
    with Image.open(BytesIO(page.screenshot())) as picture:
        return picture.resize((round(WIDTH * SCALE), round(HEIGHT * SCALE)), Image.Resampling.LANCZOS)


def preview(page: Page, address: str) -> Image.Image:
    """Picture the part of an enterprise customer's page in the admin that is about their portal."""
    page.goto(f"{address}/admin/login/?next=/admin/alguna_portal/customer/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Harbour Ceramics").click()
    sections = page.locator("#customer_form fieldset.module")
    boxes = [sections.nth(number).bounding_box() for number in range(1, 3)]
    top, bottom = boxes[0], boxes[1]
    if top is None or bottom is None:
        raise LookupError("The customer's page has not the sections that it had.")
    clip = FloatRect(x=top["x"], y=top["y"], width=top["width"], height=bottom["y"] + bottom["height"] - top["y"])
    with Image.open(BytesIO(page.screenshot(full_page=True, clip=clip))) as picture:
        return picture.copy()


def side_by_side(*pictures: Image.Image) -> Image.Image:
    """Put pictures beside each other: the two pages that one click leads from and to."""
    width, height = pictures[0].size
    both = Image.new("RGB", (len(pictures) * (width + GAP) + GAP, height + 2 * GAP), GROUND)
    for number, picture in enumerate(pictures):
        both.paste(picture, (GAP + number * (width + GAP), GAP))
    return both


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture with few colours, which text on plain ground can do with."""
    path.parent.mkdir(exist_ok=True)
    small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path.with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
