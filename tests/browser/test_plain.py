"""Pages with the default base template."""

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.accessibility import check_page
from tests.browser.conftest import POLICY, Shell
from tests.browser.keyboard import walk

# All browser tests share one demo, so they run in one worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# Rendered in the demo without its templates, with all optional parts of the pages.
RENDER = """
import json
from django.template.backends.django import DjangoTemplates
from django.utils import timezone, translation
from alguna_portal.access import Access
from alguna_portal.models import Customer, PortalLink
engine = DjangoTemplates({"NAME": "plain", "DIRS": [], "APP_DIRS": True, "OPTIONS": {}})
names = ("Saltmarsh Stoneware & Daughters", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk")
customers = [Customer(pk=pk, alias=str(pk), name=name) for pk, name in enumerate(names, 1)]
context = {
    "accesses": [Access(customer=each, role=role) for each, role in zip(customers, ("manager", "viewer"))],
    "customer": customers[1], "link": PortalLink(role="manager", max_uses=3), "until": "29 November 2026, 10:00 (UTC)",
    "url": "https://portal.alguna.io/", "again": "/billing/", "minutes": 2, "can_be_renewed": True,
    "support_contact": "support@example.com", "support_href": "mailto:support@example.com", "debug": True,
    "reason": "Alguna answered 503.", "csrf_token": "x",
}
pages = {}
for language in ("en", "ar"):
    with translation.override(language):
        for name in NAMES:
            html = engine.get_template(f"alguna_portal/{name}.html").render(context)
            pages[f"plain-{name.replace('_', '-')}-{language}"] = html
print(json.dumps(pages))
"""
NAMES = ("choose", "no_access", "unavailable", "failed", "link", "link_opened", "link_over")


def test_pages_are_accessible_with_the_default_base_template(page: Page, demo: str, demo_shell: Shell) -> None:
    """In both text directions, with long names."""
    pages: dict[str, str] = json.loads(demo_shell(RENDER.replace("NAMES", repr(NAMES))))

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        headers = {"content-security-policy": POLICY, "content-type": "text/html; charset=utf-8"}
        route.fulfill(body=pages[name], headers=headers)

    page.route("**/plain/*", answer)
    for name in pages:
        page.goto(f"{demo}/plain/{name}")
        expect(page.locator("main")).to_have_css("direction", "rtl" if name.endswith("-ar") else "ltr")
        check_page(page, name)
        walk(page)
