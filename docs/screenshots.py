# ruff: noqa: INP001  (a script)
"""Script that creates the images of the documentation from screenshots of the browser tests.

`make screenshots` runs the tests, which save screenshots in `.screenshots`, and then this script. It crops and
compresses some of them and takes two itself: the click on Billing in a narrow window, and a part of an admin page.
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

from tests.browser.conftest import served  # noqa: E402  (serves the example project)

SCREENSHOTS = DOCS.parent / ".screenshots"

# Name of the image: name of the screenshot, and the height in pixels to which it's cropped.
IMAGES = {
    "choose": ("choose", 520),
    "unavailable": ("unavailable", 390),
    "link": ("link", 430),
    "accesses": ("admin-accesses", 720),
}
COLOURS = 128
# The windows before and after the click: their size, how much they're scaled, and the gap and background around them.
WIDTH, HEIGHT, SCALE, GAP, BACKGROUND = 960, 880, 0.75, 24, "#e2e4ea"


def main() -> None:
    """Create all images."""
    for name, (screenshot, height) in IMAGES.items():
        with Image.open(SCREENSHOTS / f"{screenshot}.png") as image:
            cropped = image.crop((0, 0, image.width, min(height, image.height)))
            save_image(cropped, DOCS / "images" / name)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with TemporaryDirectory() as folder, served(Path(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        size = ViewportSize(width=WIDTH, height=HEIGHT)
        open_window = partial(browser.new_page, viewport=size, reduced_motion="reduce")
        save_image(join_horizontally(*take_click(open_window(), address)), DOCS / "demo")
        save_image(take_preview(open_window(), address), DOCS / "images" / "preview")
        browser.close()


def take_click(page: Page, address: str) -> Iterator[Image.Image]:
    """Click on Billing in the example project; yield screenshots of the pages before and after the click."""
    page.goto(address)
    page.get_by_role("button", name="Sign in as Sam", exact=True).click()
    page.get_by_role("status").wait_for()
    yield take_screenshot(page)
    page.get_by_role("banner").get_by_role("link", name="Billing").click()
    page.wait_for_url("**/sandbox/hs/*")
    yield take_screenshot(page)


def take_screenshot(page: Page) -> Image.Image:
    """Return a scaled screenshot of the window."""
    with Image.open(BytesIO(page.screenshot())) as image:
        return image.resize((round(WIDTH * SCALE), round(HEIGHT * SCALE)), Image.Resampling.LANCZOS)


def take_preview(page: Page, address: str) -> Image.Image:
    """Return a screenshot of the portal's preview on an enterprise customer's admin page."""
    page.goto(f"{address}/admin/login/?next=/admin/alguna_portal/customer/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Harbour Ceramics").click()
    sections = page.locator("#customer_form fieldset.module")
    boxes = [sections.nth(number).bounding_box() for number in range(1, 3)]
    top, bottom = boxes[0], boxes[1]
    if top is None or bottom is None:
        raise LookupError("The customer's page has no sections for the portal.")
    clip = FloatRect(x=top["x"], y=top["y"], width=top["width"], height=bottom["y"] + bottom["height"] - top["y"])
    with Image.open(BytesIO(page.screenshot(full_page=True, clip=clip))) as image:
        return image.copy()


def join_horizontally(*images: Image.Image) -> Image.Image:
    """Join images horizontally, with gaps around them."""
    width, height = images[0].size
    both = Image.new("RGB", (len(images) * (width + GAP) + GAP, height + 2 * GAP), BACKGROUND)
    for number, image in enumerate(images):
        both.paste(image, (GAP + number * (width + GAP), GAP))
    return both


def save_image(image: Image.Image, path: Path) -> None:
    """Save a PNG with 128 colours, which are enough for text on a plain background."""
    path.parent.mkdir(exist_ok=True)
    reduced = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    reduced.save(path.with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
