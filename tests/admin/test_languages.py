"""Messages of the admin in other languages."""

from pathlib import Path

import django
import polib
import pytest
from django.test import Client
from django.utils.translation import override
from pytest_django import Settings

from alguna_portal.admin import actions
from alguna_portal.models import Customer
from tests.support.admin import get_messages, get_url
from tests.support.mailers import use_email_backend
from tests.test_translations import every_locale, read_catalogue

DJANGO = Path(django.__file__).parent


@pytest.mark.parametrize(
    ("language", "text"),
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
def test_names_are_joined_in_each_language(monkeypatch: pytest.MonkeyPatch, language: str, text: str) -> None:
    monkeypatch.setattr(actions, "MAX_MESSAGES", 2)
    with override(language):
        assert actions.join_names(["Acme", "Umbrella", "Initech", "Hooli"]) == text
        assert "2" not in actions.join_names(["Acme", "Umbrella"])


def test_message_parts_are_escaped() -> None:
    text = "%(count)d failed (%(kind)s): %(names)s"
    names = actions.join_names(["<b>{kind}", "%(count)d"])
    assert actions.format_message(text, count=2, kind="<i>", names=names) == (
        "2 failed (&lt;i&gt;): &lt;b&gt;{kind}, %(count)d"
    )


def test_a_failed_email_to_another_recipient_is_reported_in_the_language(
    admin_client: Client, settings: Settings, customer: Customer
) -> None:
    use_email_backend(settings, "tests.support.mailers.UnreachableBackend")
    settings.LANGUAGE_CODE = "de"
    done = admin_client.post(
        get_url(customer, "send_portal_link"), {"role": "manager", "to": "tax@accountants.example"}, follow=True
    )
    ((level, text),) = get_messages(done)
    assert level == "error"
    assert text.startswith("1 Portal-Link konnte nicht gesendet werden (ConnectionRefusedError): <a ")


@every_locale
def test_translations_do_not_override_djangos(locale: str) -> None:
    theirs: dict[tuple[str | None, str], list[object]] = {}
    files = [DJANGO / "conf", *(DJANGO / "contrib").iterdir()]
    for file in (each / "locale" / locale / "LC_MESSAGES" / "django.po" for each in files):
        for entry in polib.pofile(str(file)) if file.exists() else ():
            theirs.setdefault((entry.msgctxt, entry.msgid), []).append(entry.msgstr_plural or entry.msgstr)
    assert len(theirs) > 500
    ours = {(entry.msgctxt, entry.msgid): entry.msgstr_plural or entry.msgstr for entry in read_catalogue(locale)}
    assert not [key for key, text in ours.items() if text not in theirs.get(key, [text])]
