"""Translations of pages, emails and the admin, as users see them."""

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
from tests.support.emails import get_html, get_link_path, get_sent_emails, get_text
from tests.test_translations import PACKAGE, every_locale, read_catalogue

# Everything in a template except its text: tags, variables and markup.
MARKED = re.compile(
    r"\{%\s*blocktranslate.*?\{%\s*endblocktranslate\s*%\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&\w+;", re.DOTALL
)
# Shown only to developers.
ENGLISH = {"DEBUG:"}
TROUBLE = "You can't open billing"


def get_translation(locale: str, msgid: str) -> str:
    """Return the translation of a text, which must differ from the English text."""
    entry = read_catalogue(locale).find(msgid)
    assert entry is not None
    assert entry.msgstr not in ("", msgid)
    return entry.msgstr


@pytest.fixture
def _locale_middleware(settings: Settings) -> None:
    """Use the language of the browser."""
    after = settings.MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware") + 1
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:after],
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE[after:],
    ]


def assert_in_language(html: str, locale: str) -> None:
    """Check the language and the direction of a document."""
    direction = ' dir="rtl"' if locale == "ar" else ""
    assert f'<html lang="{to_language(locale)}"{direction}>' in html


@every_locale
@pytest.mark.usefixtures("_locale_middleware")
def test_pages_are_translated(link: PortalLink, locale: str) -> None:
    page = get_text(Client(headers={"Accept-Language": to_language(locale)}).get(get_link_path(link)))
    assert_in_language(page, locale)
    assert f"<title>{get_translation(locale, 'Open billing')}</title>" in page
    assert get_translation(locale, "Billing of %(company)s") % {"company": "Acme"} in page
    assert get_translation(locale, "Whoever has it can open billing, so don't pass it on.") in page


@every_locale
@pytest.mark.usefixtures("_locale_middleware")
def test_error_pages_are_translated(non_member: User, locale: str) -> None:
    client = Client(headers={"Accept-Language": to_language(locale)})
    client.force_login(non_member)
    page = get_text(client.get("/billing/", headers={"Accept": "text/html"}))
    assert_in_language(page, locale)
    assert f"<h1>{get_translation(locale, TROUBLE)}</h1>" in page


@every_locale
def test_emails_are_translated(customer: Customer, locale: str) -> None:
    with override(to_language(locale)):
        send_link(customer)
    (message,) = get_sent_emails()
    html = unescape(get_html(message))
    assert message.subject == to_one_line(
        get_translation(locale, "Billing of %(company)s: your link") % {"company": "Acme"}
    )
    assert message.body.startswith(get_translation(locale, "Hello,"))
    assert (
        get_translation(locale, "here is your link to the billing of %(company)s.") % {"company": "Acme"}
        in message.body
    )
    assert_in_language(html, locale)
    assert get_translation(locale, "Open billing") in html


@every_locale
@pytest.mark.usefixtures("_locale_middleware")
def test_the_admin_is_translated(admin_client: Client, customer: Customer, locale: str) -> None:
    address = f"/admin/alguna_portal/customer/{customer.pk}/send-portal-link/"
    page = get_text(admin_client.get(address, headers={"Accept-Language": to_language(locale)}))
    for msgid in ("The link", "Send to", "Cancel", "The mail is sent while you wait."):
        assert get_translation(locale, msgid) in page


def test_arabic_has_six_plural_forms() -> None:
    singular, plural = "%(count)d portal link sent.", "%(count)d portal links sent."
    with override("ar"):
        found = [ngettext(singular, plural, number) for number in (0, 1, 2, 3, 11, 100)]
    entry = read_catalogue("ar").find(singular)
    assert entry is not None
    assert found == [entry.msgstr_plural[form] for form in range(6)]
    assert len(set(found)) > 3


def test_templates_contain_no_untranslatable_text() -> None:
    templates = [file for file in (PACKAGE / "templates").rglob("*") if file.is_file()]
    words = {word for file in templates for word in MARKED.sub(" ", file.read_text()).split() if word.strip("-|.,:;()")}
    assert words == ENGLISH


def test_field_names_are_translated_lazily() -> None:
    eager = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_app_config("alguna_portal").get_models()
        for field in model._meta.fields
        if not field.auto_created
        for said_of_it in (field.verbose_name, field.help_text)
        if said_of_it and not isinstance(said_of_it, Promise)
    ]
    assert eager == []
