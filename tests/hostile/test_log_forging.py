"""Log forging: texts from outside add no lines to the log and don't fill it."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.models import Customer, PortalLink
from alguna_portal.testing import FakeAlguna
from tests.conftest import FakeApi
from tests.support.clients import BILLING, sign_in
from tests.support.emails import get_link_path

# Line breaks of all kinds, terminal control sequences, and a lone surrogate.
FORGED = "x\r\nERROR forged\n\x0b\x0c\x1c\x85\u2028\u2029\x1b[2J\x1b]0;title\x07\x00\u202e\u200b\ud800"
STORABLE = FORGED.replace("\ud800", "").replace("\x00", "")
LONGEST = 2000


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Capture all log records, and check each of them after the test."""
    caplog.set_level(logging.DEBUG)
    yield caplog
    records = [record for record in caplog.get_records("call") if record.name != "django.db.backends"]
    assert records
    for record in records:
        text = record.getMessage()
        assert text.isprintable(), ascii(text)
        assert len(text) < LONGEST
        for name, value in vars(record).items():
            if name in {"plan", "alias", "error", "status"}:
                assert len(str(value)) < LONGEST


def test_customer_texts_forge_no_log_lines(
    log: pytest.LogCaptureFixture, alguna: FakeApi, manager: User, link: PortalLink
) -> None:
    """On success and on each failure, from the billing view and from an emailed link."""
    broken = {STORABLE: {}, "plan_overview_settings": {STORABLE: True, "show_section": STORABLE}}
    Customer.objects.update(alias=STORABLE, name=STORABLE, plan=STORABLE, portal_settings=broken)
    client = sign_in(manager)
    for status in (200, 503, 404, 401, 422):
        if status != 200:
            alguna.fail(status, '{"detail": "no"}')
        client.get(BILLING, {"fresh": "1"})
        Client().post(get_link_path(link))
    PortalLink.objects.update(expires_at=timezone.now() - timedelta(days=1))
    Client().post(get_link_path(link), {"renew": "1"})


def test_parameters_and_headers_forge_no_log_lines(
    log: pytest.LogCaptureFixture, alguna: FakeApi, manager: User
) -> None:
    client = sign_in(manager)
    client.get(BILLING, {"customer": STORABLE, "fresh": STORABLE})
    client.post(BILLING, {"customer": STORABLE})
    client.get(BILLING, {"fresh": "1"}, headers={"User-Agent": "x\nERROR forged", "Accept": "json\nERROR forged"})


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("name", ["detail", "message"])
def test_error_details_from_alguna_forge_no_log_lines(
    log: pytest.LogCaptureFixture, alguna: FakeApi, manager: User, settings: Settings, status: int, name: str
) -> None:
    """They are quoted on one short line."""
    for debug in (False, True):
        settings.DEBUG = debug
        for detail in (FORGED, FORGED * 10_000, "word " * 100_000):
            alguna.fail(status, json.dumps({name: detail}))
            assert sign_in(manager).get(BILLING).status_code in (502, 503)


@pytest.mark.parametrize("name", ["id", "customer_id", "url", "created_at", "expires_at"])
@pytest.mark.parametrize("text", [FORGED, FORGED * 1000, "y" * 200_000])
def test_session_fields_forge_no_log_lines(
    log: pytest.LogCaptureFixture, alguna: FakeApi, manager: User, settings: Settings, name: str, text: str
) -> None:
    """Not even if the session belongs to another customer and its id is logged."""
    Customer.objects.update(customer_id="cust_abc123")
    alguna.change = {name: text}
    for debug in (False, True):
        settings.DEBUG = debug
        assert sign_in(manager).get(BILLING, {"fresh": "1"}).status_code in (302, 502)


def test_customer_texts_forge_no_command_output(
    log: pytest.LogCaptureFixture, empty_fake: FakeAlguna, acme: Customer, umbrella: Customer
) -> None:
    """Nor do they send control sequences to the terminal."""
    Customer.objects.filter(pk=acme.pk).update(alias=STORABLE, name=STORABLE, plan=STORABLE, currency="EUR")
    Customer.objects.filter(pk=umbrella.pk).update(name=STORABLE, currency="EUR")
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("alguna_provision", stdout=out, stderr=err)
    output: list[Any] = [*out.getvalue().splitlines(), *err.getvalue().splitlines(), str(caught.value)]
    for line in output:
        assert line.isprintable()
        assert not line.startswith("ERROR forged")
