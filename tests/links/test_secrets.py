"""Secrecy of emailed links: invalid tokens, rotated keys and logs."""

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
from tests.conftest import FakeApi
from tests.support.emails import get_link_path, submit_link

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def create_tampered_tokens(token: str) -> list[str]:
    """Return tokens that are almost valid."""
    key, _, signature = token.partition(".")
    other = ("0" if key[0] != "0" else "1") + key[1:]
    return [f"{other}.{signature}", f"{key}.{signature[:-1]}", key, f"{key}.", f".{signature}", token.upper(), "x"]


def test_unknown_tampered_and_revoked_links_have_the_same_response(
    alguna: FakeApi, link: PortalLink, customer: Customer
) -> None:
    """For GET, for opening and for renewal."""
    base, token = get_link_path(link).removesuffix("/").rsplit("/", 1)
    gone = send_link(customer)
    deleted = get_link_path(gone)
    gone.delete()
    link.revoke()
    mail.outbox.clear()
    responses = set()
    for address in [get_link_path(link), deleted, *(f"{base}/{each}/" for each in create_tampered_tokens(token))]:
        for response in (Client().get(address), Client().post(address), Client().post(address, {"renew": "1"})):
            responses.add((response.status_code, response.content, response["Referrer-Policy"]))
    ((status, content, _),) = responses
    assert status == 404
    assert b"does not work" in content
    assert b"<form" not in content
    assert (alguna.requests, mail.outbox) == ([], [])


def test_tokens_signed_with_another_salt_are_invalid(link: PortalLink) -> None:
    from django.core.signing import Signer

    assert get_link_by_token(Signer(salt="elsewhere", sep=".").sign(link.key.hex)) is None


def test_links_signed_with_a_fallback_key_work(settings: Settings, alguna: FakeApi, link: PortalLink) -> None:
    address, old = get_link_path(link), settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [old]
    assert Client().get(address).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert Client().get(address).status_code == 404


def test_exceptions_are_raised_under_debug(settings: Settings, link: PortalLink) -> None:
    settings.DEBUG = True
    with mock.patch("alguna_portal.views.links.render_page", side_effect=RuntimeError), pytest.raises(RuntimeError):
        Client().get(get_link_path(link))


def test_a_revocation_is_permanent(alguna: FakeApi, link: PortalLink) -> None:
    """A second one doesn't change the time."""
    with time_machine.travel(NOW, tick=False) as now:
        link.revoke()
        now.shift(60)
        link.revoke()
    assert (link.state, link.revoked_at) == ("revoked", NOW)
    assert submit_link(link).status_code == 404


def test_logs_contain_no_links_or_addresses(
    alguna: FakeApi, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the app's nor Django's, which log paths and email them to ADMINS."""
    caplog.set_level(logging.DEBUG)
    link = send_link(customer)
    alguna.fail(503)
    submit_link(link)
    alguna.fail(401)
    submit_link(link)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        submit_link(link)
        Client().post(get_link_path(link), {"renew": "1"})
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(get_link_path(link)).status_code == 403
    for appended in (">", "/>", ".", "%0A", "/x/y/"):
        assert Client().get(get_link_path(link).removesuffix("/") + appended, follow=True).status_code == 404
    assert Client().put(get_link_path(link)).status_code == 405
    for broken in ("alguna_portal.views.links.open_link", "alguna_portal.views.links.redirect_page"):
        with mock.patch(broken, side_effect=RuntimeError(get_link_path(link))):
            response = submit_link(link)
        assert (response.status_code, response.content) == (500, b"Something went wrong here. Please try again later.")
    assert "A mailed link could not be answered (RuntimeError)." in caplog.text
    link.revoke()
    submit_link(link)
    # Django logs SQL only under DEBUG, with its parameters.
    log = "\n".join(record.getMessage() for record in caplog.records if record.name != "django.db.backends")
    assert f"Link {link.pk}: mailed for customer {customer.pk}." in log
    for secret in (link.key.hex, get_link_path(link), "@acme", "hs/token"):
        assert secret not in log
    assert link.key.hex not in repr(link) + str(link)
    assert "@" not in repr(link) + str(link)
