"""The admin in other languages: whole sentences, with the signs of each, and Django's own texts left to Django."""

from pathlib import Path

import django
import polib
import pytest
from django.test import Client
from django.utils.translation import override
from pytest_django import Settings

from alguna_portal.admin import actions
from alguna_portal.models import Customer
from tests.admin.test_create_in_alguna import messages
from tests.admin.test_send_portal_links import page
from tests.support.mailers import mail_by
from tests.test_translations import every_locale, read_catalogue

DJANGO = Path(django.__file__).parent


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Acme, Umbrella, and 2 more"),
        ("de", "Acme, Umbrella und 2 weitere"),
        ("fr", "Acme, Umbrella et 2 autres"),
        ("es", "Acme, Umbrella y 2 más"),
        ("pt-br", "Acme, Umbrella e mais 2"),
        ("ja", "Acme、Umbrella、ほか2件"),
        ("ar", "Acme، Umbrella، وعميلان آخران"),
    ],
)
def test_names_stand_in_a_row_as_the_language_has_it(monkeypatch: pytest.MonkeyPatch, language: str, said: str) -> None:
    """With its own comma, and the rest as part of one sentence."""
    monkeypatch.setattr(actions, "MOST_TOLD", 2)
    with override(language):
        assert actions.enumerated(["Acme", "Umbrella", "Initech", "Hooli"]) == said
        assert "2" not in actions.enumerated(["Acme", "Umbrella"])


def test_what_is_filled_in_is_escaped() -> None:
    """A name may be anything: markup of its own, or the signs that a text is filled in by."""
    text = "%(count)d failed (%(kind)s): %(names)s"
    names = actions.enumerated(["<b>{kind}", "%(count)d"])
    assert actions.filled(text, count=2, kind="<i>", names=names) == (
        "2 failed (&lt;i&gt;): &lt;b&gt;{kind}, %(count)d"
    )


def test_a_mail_to_somebody_else_that_fails_is_told_in_the_language(
    admin_client: Client, settings: Settings, customer: Customer
) -> None:
    """As a mail to the customer's own address is."""
    mail_by(settings, "tests.support.mailers.Down")
    settings.LANGUAGE_CODE = "de"
    done = admin_client.post(page(customer), {"role": "manager", "to": "tax@accountants.example"}, follow=True)
    ((level, said),) = messages(done)
    assert level == "error"
    assert said.startswith("1 Portal-Link konnte nicht gesendet werden (ConnectionRefusedError): <a ")


@every_locale
def test_no_text_of_djangos_is_said_otherwise_on_pages_of_the_host(locale: str) -> None:
    """A text that Django has, too, is found under one name for the whole site: ours would be shown for theirs."""
    theirs: dict[tuple[str | None, str], list[object]] = {}
    files = [DJANGO / "conf", *(DJANGO / "contrib").iterdir()]
    for file in (each / "locale" / locale / "LC_MESSAGES" / "django.po" for each in files):
        for entry in polib.pofile(str(file)) if file.exists() else ():
            theirs.setdefault((entry.msgctxt, entry.msgid), []).append(entry.msgstr_plural or entry.msgstr)
    assert len(theirs) > 500
    ours = {(entry.msgctxt, entry.msgid): entry.msgstr_plural or entry.msgstr for entry in read_catalogue(locale)}
    assert not [key for key, said in ours.items() if said not in theirs.get(key, [said])]
