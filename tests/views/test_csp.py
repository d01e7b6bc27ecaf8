"""Pages under the Content-Security-Policies of docs/howto/csp.md, which are read from that page."""

import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import django
import pytest
from django.apps import AppConfig
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.models import Customer, Membership, PortalLink
from alguna_portal.sandbox.dashboard import add_customer
from tests.conftest import FakeApi
from tests.support.emails import get_link_path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTED = dict(
    re.findall(r"## ([^\n]*)\n\n```python\n(.*?)```", (ROOT / "docs" / "howto" / "csp.md").read_text(), re.DOTALL)
)
TEMPLATES = [
    file
    for app in ("alguna_portal", "example_project")
    for file in (ROOT / app).rglob("*.html")
    if file.parent.name != "mail"  # a mail is no page
]
STYLES = [file for app in ("alguna_portal", "example_project") for file in (ROOT / app).rglob("*.css")]
INLINE = re.compile(r"<style\b|<script\b(?![^>]*\bsrc=)|\sstyle\s*=|\son[a-z]+\s*=|javascript:|\bdata:", re.IGNORECASE)

Page = Any  # the test client's response, which has more than any class says


class Inline(HTMLParser):
    """Collects elements that `default-src 'self'` forbids."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check one element."""
        given = {name: value or "" for name, value in attrs}
        bad = [name for name in given if name == "style" or name.startswith("on")]
        bad += [name for name, value in given.items() if re.match(r"\s*(javascript|data):", value, re.IGNORECASE)]
        bad += [name for name in ("src", "srcset") if re.match("https?:|//", given.get(name, ""))]
        bad += ["href"] if tag == "link" and re.match("https?:|//", given.get("href", "")) else []
        if bad or tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(self.get_starttag_text() or tag)


@pytest.fixture
def policy(settings: Settings) -> Callable[[str], Mapping[str, Any]]:
    """Return a function that activates a documented policy and returns its directives."""

    def use(title: str) -> Mapping[str, Any]:
        names: dict[str, Any] = {}
        exec(DOCUMENTED[title], names)
        for app in names.get("INSTALLED_APPS", []):
            assert AppConfig.create(app).name == app
        settings.MIDDLEWARE = [*names["MIDDLEWARE"], *settings.MIDDLEWARE]
        if "SECURE_CSP" in names:
            settings.SECURE_CSP = names["SECURE_CSP"]
            return dict(names["SECURE_CSP"])
        settings.CONTENT_SECURITY_POLICY = names["CONTENT_SECURITY_POLICY"]
        return dict(names["CONTENT_SECURITY_POLICY"]["DIRECTIVES"])

    return use


def get_billing_pages(alguna: FakeApi, link: PortalLink, umbrella: Customer) -> dict[str, Page]:
    """Return every page for a host's users, by template name."""
    people = {name: User.objects.create_user(name) for name in ("one", "two", "none")}
    for name, customer in (("one", link.customer), ("two", link.customer), ("two", umbrella)):
        Membership.objects.create(user=people[name], customer=customer, role="manager")
    clients = {name: Client() for name in people}
    for name, client in clients.items():
        client.force_login(people[name])
    address = get_link_path(link)
    pages = {"choose": clients["two"].get("/billing/"), "no_access": clients["none"].get("/billing/")}
    for name, status in (("unavailable", 503), ("failed", 401)):
        alguna.fail(status)
        pages[name] = clients["one"].get("/billing/")
    anybody = Client()
    pages |= {"link": anybody.get(address), "link_opened": anybody.post(address)}
    pages["link_unknown"] = anybody.get(f"{address[:-9]}/")
    PortalLink.objects.update(expires_at=timezone.now())
    pages |= {"link_over": anybody.get(address), "link_renewed": anybody.post(address, {"renew": "1"})}
    return check_templates(pages, "alguna_portal/{}.html")


def check_templates(pages: dict[str, Page], template: str) -> dict[str, Page]:
    """Check that the pages have the templates with their names; return the pages."""
    for name, response in pages.items():
        assert template.format(name) in [each.name for each in response.templates], name
    return pages


def get_admin_pages(customer: Customer, link: PortalLink) -> dict[str, Page]:
    """Return the admin pages that the app changes."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    base = "/admin/alguna_portal"
    named = {
        "customers": f"{base}/customer/",
        "customer": f"{base}/customer/{customer.pk}/change/",
        "create": f"{base}/customer/{customer.pk}/create-in-alguna/",
        "send": f"{base}/customer/{customer.pk}/send-portal-link/",
        "links": f"{base}/portallink/",
        "link": f"{base}/portallink/{link.pk}/change/",
        "accesses": f"{base}/portalaccess/",
        "faults": "/admin/alguna_sandbox/simulatedfault/",
    }
    pages = {name: client.get(address) for name, address in named.items()}
    assert {page.status_code for page in pages.values()} == {200}
    return pages


def get_sandbox_pages(customer: Customer) -> dict[str, Page]:
    """Return every page of the sandbox portal, by template name."""
    add_customer(alias=customer.alias, name="Acme")
    body = {"customer_alias": customer.alias, "plan_overview_settings": {"allow_self_serve_change": True}}
    headers = {"Authorization": "Bearer sandbox.secret", "Alguna-Version": "2026-04-01"}
    client = Client()
    made = client.post("/sandbox/customer-portal-sessions", body, "application/json", headers=headers)
    home = made.json()["url"].removeprefix("http://testserver")
    portal = client.get(home)
    ways = dict(re.findall(r'(?:href|action)="([^"]*/(plan|cancel|invoices/[^/"]+))"', portal.content.decode()))
    by_ending = {ending.partition("/")[0]: way for way, ending in ways.items()}
    pages = {"portal": portal, "edit": client.get(f"{home}/payment-method"), "problem": client.get(f"{home}/nowhere")}
    pages |= {"plan": client.get(by_ending["plan"]), "cancel": client.get(by_ending["cancel"])}
    pages["invoice"] = client.get(by_ending["invoices"])
    choice = re.search(r'href="(\?plan=[^"]*)"', pages["plan"].content.decode())
    assert choice
    pages["plan_confirm"] = client.get(by_ending["plan"] + choice[1])
    return check_templates(pages, "alguna_sandbox/{}.html")


@pytest.fixture
def pages(alguna: FakeApi, link: PortalLink, umbrella: Customer, settings: Settings) -> Callable[[], dict[str, Page]]:
    """Return a function that fetches every page of the app, the admin and the sandbox."""

    def visit() -> dict[str, Page]:
        found = {f"ours: {name}": page for name, page in get_billing_pages(alguna, link, umbrella).items()}
        settings.DEBUG = True  # for the sandbox, which is nowhere else
        found |= {f"admin: {name}": page for name, page in get_admin_pages(link.customer, link).items()}
        return found | {f"sandbox: {name}": page for name, page in get_sandbox_pages(umbrella).items()}

    return visit


def test_every_template_is_tested(pages: Callable[[], dict[str, Page]]) -> None:
    visited = {name.partition(": ")[2] for name in pages()}
    parts = {"base", "forms", "lines", "reason", "support", "change_form_object_tools"}
    admin = {"create_in_alguna": "create", "send_portal_link": "send"}
    names = {file.stem for file in (ROOT / "alguna_portal").rglob("*.html") if file in TEMPLATES}
    assert {admin.get(name, name) for name in names - parts} - visited == set()


@pytest.mark.parametrize(
    "title",
    [
        "django-csp",
        pytest.param("Django 6", marks=pytest.mark.skipif(django.VERSION < (6,), reason="Django 6 brought SECURE_CSP")),
    ],
)
def test_every_page_has_the_documented_policy(
    title: str, policy: Callable[[str], Mapping[str, Any]], pages: Callable[[], dict[str, Page]]
) -> None:
    directives = policy(title)
    expected = {name: {str(value) for value in values} for name, values in directives.items()}
    assert expected["default-src"] == {"'self'"}
    for name, page in pages().items():
        if title == "django-csp" and name == "sandbox: problem":
            continue  # a 404 under DEBUG, which django-csp leaves alone
        sent = page.headers["Content-Security-Policy"]
        actual = {directive.split()[0]: set(directive.split()[1:]) for directive in sent.split(";")}
        assert actual == expected, name
        assert "unsafe-" not in sent, name


def test_pages_have_no_inline_or_external_content(pages: Callable[[], dict[str, Page]]) -> None:
    for name, page in pages().items():
        content = page.content.decode()
        assert Inline(content).found == [], name
        assert ("<script" in content) == name.startswith("admin: "), name


@pytest.mark.parametrize("file", [*TEMPLATES, *STYLES], ids=lambda file: f"{file.parent.name}/{file.name}")
def test_templates_have_no_inline_content(file: Path) -> None:
    """Not even in untested branches; style sheets load nothing."""
    text = file.read_text()
    found = re.search(r"@import|url\(", text) if file.suffix == ".css" else INLINE.search(text)
    assert found is None, found


@pytest.mark.parametrize(
    "page",
    [
        "<style>p {}</style>",
        '<p style="color: red">',
        "<script>1</script>",
        '<button onclick="go()">',
        '<a href=" javascript:go()">',
        '<img src="data:image/gif;base64,AA">',
        '<script src="//cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="https://cdn.example/x.css">',
    ],
)
def test_inline_content_is_detected(page: str) -> None:
    assert Inline(page).found
    assert INLINE.search(page) or "cdn.example" in page
