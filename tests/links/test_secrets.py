"""Mailed links: what must not open, and what must not leak."""

import logging
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
import time_machine
from django.core import mail
from django.test import Client
from pytest_django import Settings

from alguna_portal.links import get_link_by_token, send_link
from alguna_portal.models import Customer, PortalLink
from tests.conftest import Alguna
from tests.support.emails import path, press

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def tampered(token: str) -> list[str]:
    """Tokens that are almost right."""
    key, _, signature = token.partition(".")
    other = ("0" if key[0] != "0" else "1") + key[1:]
    return [f"{other}.{signature}", f"{key}.{signature[:-1]}", key, f"{key}.", f".{signature}", token.upper(), "x"]


def test_unknown_tampered_and_revoked_links_look_alike(alguna: Alguna, link: PortalLink, customer: Customer) -> None:
    """To who fetches them, presses, or asks for a new one."""
    base, token = path(link).removesuffix("/").rsplit("/", 1)
    gone = send_link(customer)
    deleted = path(gone)
    gone.delete()
    link.revoke()
    mail.outbox.clear()
    answers = set()
    for address in [path(link), deleted, *(f"{base}/{each}/" for each in tampered(token))]:
        for response in (Client().get(address), Client().post(address), Client().post(address, {"renew": "1"})):
            answers.add((response.status_code, response.content, response["Referrer-Policy"]))
    ((status, content, _),) = answers
    assert status == 404
    assert b"does not work" in content
    assert b"<form" not in content
    assert (alguna.requests, mail.outbox) == ([], [])


def test_a_token_of_another_kind_is_no_link(link: PortalLink) -> None:
    """What the same secret has signed for another purpose opens nothing."""
    from django.core.signing import Signer

    assert get_link_by_token(Signer(salt="elsewhere", sep=".").sign(link.key.hex)) is None


def test_a_rotated_secret_key_still_opens_and_a_removed_one_does_not(
    settings: Settings, alguna: Alguna, link: PortalLink
) -> None:
    """As the whole of Django has it."""
    address, old = path(link), settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [old]
    assert Client().get(address).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert Client().get(address).status_code == 404


def test_a_developer_sees_what_went_wrong(settings: Settings, link: PortalLink) -> None:
    """Under DEBUG the exception is as it is everywhere."""
    settings.DEBUG = True
    with mock.patch("alguna_portal.views.links.render_page", side_effect=RuntimeError), pytest.raises(RuntimeError):
        Client().get(path(link))


def test_revoking_is_for_good(alguna: Alguna, link: PortalLink) -> None:
    """And keeps the time it was first done."""
    with time_machine.travel(NOW, tick=False) as now:
        link.revoke()
        now.shift(60)
        link.revoke()
    assert (link.state, link.revoked_at) == ("revoked", NOW)
    assert press(link).status_code == 404


def test_no_log_holds_the_link_or_an_address(
    alguna: Alguna, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither ours nor Django's, whose errors name the path, and mail it to ADMINS."""
    caplog.set_level(logging.DEBUG)
    link = send_link(customer)
    alguna.fail(503)
    press(link)
    alguna.fail(401)
    press(link)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        press(link)
        Client().post(path(link), {"renew": "1"})
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path(link)).status_code == 403
    for appended in (">", "/>", ".", "%0A", "/x/y/"):
        assert Client().get(path(link).removesuffix("/") + appended, follow=True).status_code == 404
    assert Client().put(path(link)).status_code == 405
    for broken in ("alguna_portal.views.links.open_link", "alguna_portal.views.links.redirect_page"):
        with mock.patch(broken, side_effect=RuntimeError(path(link))):
            response = press(link)
        assert (response.status_code, response.content) == (500, b"Something went wrong here. Please try again later.")
    assert "A mailed link could not be answered (RuntimeError)." in caplog.text
    link.revoke()
    press(link)
    # SQL is logged under DEBUG alone, with whatever is in it.
    said = "\n".join(record.getMessage() for record in caplog.records if record.name != "django.db.backends")
    assert f"Link {link.pk}: mailed for customer {customer.pk}." in said
    for secret in (link.key.hex, path(link), "@acme", "hs/token"):
        assert secret not in said
    assert link.key.hex not in repr(link) + str(link)
    assert "@" not in repr(link) + str(link)
