"""Poisoned hosts: what a request says of the site's name gets into no mail, and no user is sent there."""

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.links import get_link_by_token
from alguna_portal.models import Customer, PortalLink
from tests.conftest import Alguna
from tests.support.clients import BILLING, EVIL, FORMS, get_targets, sign_in
from tests.support.emails import SITE, path, sent

POISON = {
    "Host": EVIL,
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Server": EVIL,
    "X-Original-Host": EVIL,
    "X-Host": EVIL,
    "Forwarded": f"host={EVIL}",
    "X-Original-URL": f"https://{EVIL}/",
    "X-Rewrite-URL": f"https://{EVIL}/",
    "Origin": f"https://{EVIL}",
    "Referer": f"https://{EVIL}/",
}
ROLE = {"role": "manager", "note": ""}


@pytest.fixture
def credulous(settings: Settings) -> None:
    """A site that believes every host there is, and every proxy."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.USE_X_FORWARDED_HOST = True


def from_the_page_of_a_customer(client: Client, link: PortalLink) -> Any:
    """Send a link from the customer's own page."""
    page = reverse("admin:alguna_portal_customer_send_portal_link", args=[link.customer_id])
    return client.post(page, ROLE, headers=POISON)


def from_the_list_of_customers(client: Client, link: PortalLink) -> Any:
    """Send links to a selection."""
    chosen = {"action": "send_portal_link", "_selected_action": [link.customer_id], "confirmed": "1"}
    return client.post(reverse("admin:alguna_portal_customer_changelist"), chosen | ROLE, headers=POISON)


def from_the_page_of_a_link(client: Client, link: PortalLink) -> Any:
    """Send a link again, from its page."""
    return client.post(reverse("admin:alguna_portal_portallink_send_again", args=[link.pk]), headers=POISON)


def from_the_list_of_links(client: Client, link: PortalLink) -> Any:
    """Send links again."""
    chosen = {"action": "send_again", "_selected_action": [link.pk]}
    return client.post(reverse("admin:alguna_portal_portallink_changelist"), chosen, headers=POISON)


def by_the_recipient(client: Client, link: PortalLink) -> Any:
    """Ask for a new link in the place of one that has expired."""
    PortalLink.objects.filter(pk=link.pk).update(expires_at=timezone.now() - timedelta(days=1))
    return Client().post(path(link), {"renew": "1"}, headers=POISON)


@pytest.mark.parametrize(
    "send",
    [
        from_the_page_of_a_customer,
        from_the_list_of_customers,
        from_the_page_of_a_link,
        from_the_list_of_links,
        by_the_recipient,
    ],
)
def test_a_mailed_link_never_names_the_requests_host(
    credulous: None, admin_client: Client, link: PortalLink, send: Callable[[Client, PortalLink], Any]
) -> None:
    """Whichever way it is sent: the mail names `SITE_URL`, and its link opens."""
    assert send(admin_client, link).status_code in (200, 302)
    message = sent()[-1]
    assert len(sent()) == 2
    mail = message_from_bytes(message.message().as_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    said = [str(mail), *(part.get_content() for part in mail.walk() if not part.is_multipart())]
    assert len(said) == 3
    for text in said:
        assert EVIL not in text
    newest = PortalLink.objects.latest("pk")
    for text in said[1:]:
        assert SITE + path(newest) in text
    assert get_link_by_token(path(newest).rstrip("/").rpartition("/")[2]) == newest


@pytest.mark.parametrize("form", FORMS)
def test_nobody_is_sent_to_the_requests_host(
    credulous: None, alguna: Alguna, manager: User, stranger: User, umbrella: Customer, form: str
) -> None:
    """To sign in, to choose, to try again: each address is a path, or the portal's own."""
    asks = POISON | FORMS[form]
    responses = [Client().get(BILLING, headers=asks), sign_in(stranger).get(BILLING, headers=asks)]
    responses.append(sign_in(manager).get(BILLING, headers=asks))
    alguna.fail(503)
    responses.append(sign_in(manager).get(f"{BILLING}?fresh=1", headers=asks))
    umbrella.memberships.create(user=manager)
    responses.append(sign_in(manager).get(BILLING, headers=asks))
    assert [address for response in responses for address in get_targets(response)]
    for response in responses:
        assert EVIL not in str(response.headers) + response.content.decode()


@pytest.mark.parametrize("form", FORMS)
def test_a_host_that_is_not_allowed_gets_no_answer(alguna: Alguna, manager: User, form: str) -> None:
    """Django refuses it, with 400, before anybody is asked for a session."""
    response = sign_in(manager).get(BILLING, headers=FORMS[form] | {"Host": EVIL})
    assert response.status_code == 400
    assert get_targets(response) == []
    assert alguna.requests == []


def test_an_absolute_sign_in_page_is_told_only_of_allowed_hosts(db: None, settings: Settings) -> None:
    """Where people sign in elsewhere, `next` is a whole address, of a host that the site has."""
    settings.LOGIN_URL = "https://login.example.com/"
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if not each.endswith("CommonMiddleware")]
    response = Client().get(BILLING)
    assert response["Location"] == "https://login.example.com/?next=http%3A//testserver/billing/"
    assert Client().get(BILLING, headers=POISON).status_code == 400
