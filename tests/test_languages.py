"""What people see in their language: the pages, the mail and the admin, through Django itself."""

import re
from html import unescape

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.utils.functional import Promise
from django.utils.translation import ngettext, override, to_language
from pytest_django import Settings

from alguna_portal.links import send_link
from alguna_portal.links.emails import to_one_line
from alguna_portal.models import Customer, PortalLink
from tests.support.emails import html_of, path, sent, text
from tests.test_translations import PACKAGE, every_locale, read_catalogue

# What stays of a template once its tags, its variables and its markup are taken away.
MARKED = re.compile(
    r"\{%\s*blocktranslate.*?\{%\s*endblocktranslate\s*%\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&\w+;", re.DOTALL
)
# Shown to developers alone.
ENGLISH = {"DEBUG:"}
TROUBLE = "You can't open billing"


def said(locale: str, msgid: str) -> str:
    """Return a text in a language, which is another than in English."""
    entry = read_catalogue(locale).find(msgid)
    assert entry is not None
    assert entry.msgstr not in ("", msgid)
    return entry.msgstr


@pytest.fixture
def _by_browser(settings: Settings) -> None:
    """Speak the language that the browser asks for, as hosts with several do."""
    after = settings.MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware") + 1
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:after],
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE[after:],
    ]


def assert_in_language(html: str, locale: str) -> None:
    """Look at what a document says of itself, to screen readers and to the browser."""
    direction = ' dir="rtl"' if locale == "ar" else ""
    assert f'<html lang="{to_language(locale)}"{direction}>' in html


@every_locale
@pytest.mark.usefixtures("_by_browser")
def test_pages_are_not_in_english(link: PortalLink, locale: str) -> None:
    """The page behind a mailed link is in the language of the browser, and says so."""
    page = text(Client(headers={"Accept-Language": to_language(locale)}).get(path(link)))
    assert_in_language(page, locale)
    assert f"<title>{said(locale, 'Open billing')}</title>" in page
    assert said(locale, "Billing of %(company)s") % {"company": "Acme"} in page
    assert said(locale, "Whoever has it can open billing, so don't pass it on.") in page


@every_locale
@pytest.mark.usefixtures("_by_browser")
def test_pages_for_trouble_are_not_in_english(stranger: User, locale: str) -> None:
    """Who is locked out is told so in the language of the browser."""
    client = Client(headers={"Accept-Language": to_language(locale)})
    client.force_login(stranger)
    page = text(client.get("/billing/", headers={"Accept": "text/html"}))
    assert_in_language(page, locale)
    assert f"<h1>{said(locale, TROUBLE)}</h1>" in page


@every_locale
def test_mails_are_not_in_english(customer: Customer, locale: str) -> None:
    """The mail is in the active language: its subject, its text and its HTML."""
    with override(to_language(locale)):
        send_link(customer)
    (message,) = sent()
    html = unescape(html_of(message))
    assert message.subject == to_one_line(said(locale, "Billing of %(company)s: your link") % {"company": "Acme"})
    assert message.body.startswith(said(locale, "Hello,"))
    assert said(locale, "here is your link to the billing of %(company)s.") % {"company": "Acme"} in message.body
    assert_in_language(html, locale)
    assert said(locale, "Open billing") in html


@every_locale
@pytest.mark.usefixtures("_by_browser")
def test_the_admin_is_not_in_english(admin_client: Client, customer: Customer, locale: str) -> None:
    """The page that asks before a link is sent is in the language of the browser, as Django's admin is."""
    address = f"/admin/alguna_portal/customer/{customer.pk}/send-portal-link/"
    page = text(admin_client.get(address, headers={"Accept-Language": to_language(locale)}))
    for msgid in ("The link", "Send to", "Cancel", "The mail is sent while you wait."):
        assert said(locale, msgid) in page


def test_arabic_numbers_have_six_forms() -> None:
    """Django finds each of them."""
    singular, plural = "%(count)d portal link sent.", "%(count)d portal links sent."
    with override("ar"):
        found = [ngettext(singular, plural, number) for number in (0, 1, 2, 3, 11, 100)]
    entry = read_catalogue("ar").find(singular)
    assert entry is not None
    assert found == [entry.msgstr_plural[form] for form in range(6)]
    assert len(set(found)) > 3


def test_no_template_says_what_cannot_be_translated() -> None:
    """Outside of the tags for translations, and of what is filled in, no template has words."""
    templates = [file for file in (PACKAGE / "templates").rglob("*") if file.is_file()]
    words = {word for file in templates for word in MARKED.sub(" ", file.read_text()).split() if word.strip("-|.,:;()")}
    assert words == ENGLISH


def test_no_name_of_a_field_is_translated_at_import() -> None:
    """Names and explanations of fields, and of models, wait for the language of whoever looks at them."""
    eager = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_app_config("alguna_portal").get_models()
        for field in model._meta.fields
        if not field.auto_created
        for said_of_it in (field.verbose_name, field.help_text)
        if said_of_it and not isinstance(said_of_it, Promise)
    ]
    assert eager == []
