"""Host header poisoning: hosts in request headers don't get into emails or redirects."""

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
from tests.conftest import FakeApi
from tests.support.clients import BILLING, EVIL, FORMS, get_targets, sign_in
from tests.support.emails import SITE, get_link_path, get_sent_emails

POISON = {
    **dict.fromkeys(("Host", "X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host"), EVIL),
    **dict.fromkeys(("X-Original-URL", "X-Rewrite-URL", "Referer"), f"https://{EVIL}/"),
    "Forwarded": f"host={EVIL}",
    "Origin": f"https://{EVIL}",
}


@pytest.fixture
def trusting_site(settings: Settings) -> None:
    """A site that allows every host and trusts every proxy."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.USE_X_FORWARDED_HOST = True


# Each way to send a link: the URL and the data.
SENDERS: dict[str, Callable[[PortalLink], tuple[str, dict[str, Any]]]] = {
    "customer page": lambda link: (
        reverse("admin:alguna_portal_customer_send_portal_link", args=[link.customer_id]),
        {},
    ),
    "customer list": lambda link: (
        reverse("admin:alguna_portal_customer_changelist"),
        {"action": "send_portal_link", "_selected_action": [link.customer_id], "confirmed": "1"},
    ),
    "link page": lambda link: (reverse("admin:alguna_portal_portallink_send_again", args=[link.pk]), {}),
    "link list": lambda link: (
        reverse("admin:alguna_portal_portallink_changelist"),
        {"action": "send_again", "_selected_action": [link.pk]},
    ),
    "renewal": lambda link: (get_link_path(link), {"renew": "1"}),
}


@pytest.mark.parametrize("sender", SENDERS)
def test_emailed_links_use_site_url(trusting_site: None, admin_client: Client, link: PortalLink, sender: str) -> None:
    """Neither text nor HTML contains the poisoned host, and the link works."""
    url, data = SENDERS[sender](link)
    if sender == "renewal":
        PortalLink.objects.update(expires_at=timezone.now() - timedelta(days=1))
    client = Client() if sender == "renewal" else admin_client
    assert client.post(url, {"role": "manager", "note": ""} | data, headers=POISON).status_code in (200, 302)
    message = get_sent_emails()[-1]
    assert len(get_sent_emails()) == 2
    mail = message_from_bytes(message.message().as_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    contents = [str(mail), *(part.get_content() for part in mail.walk() if not part.is_multipart())]
    assert len(contents) == 3
    newest = PortalLink.objects.latest("pk")
    assert all(EVIL not in content for content in contents)
    assert all(SITE + get_link_path(newest) in content for content in contents[1:])
    assert get_link_by_token(get_link_path(newest).rstrip("/").rpartition("/")[2]) == newest


@pytest.mark.parametrize("form", FORMS)
def test_redirects_do_not_use_the_requests_host(
    trusting_site: None, alguna: FakeApi, manager: User, non_member: User, umbrella: Customer, form: str
) -> None:
    """To sign-in, the choices and another attempt: each target is a path or the portal."""
    headers = POISON | FORMS[form]
    responses = [Client().get(BILLING, headers=headers), sign_in(non_member).get(BILLING, headers=headers)]
    responses.append(sign_in(manager).get(BILLING, headers=headers))
    alguna.fail(503)
    responses.append(sign_in(manager).get(f"{BILLING}?fresh=1", headers=headers))
    umbrella.memberships.create(user=manager)
    responses.append(sign_in(manager).get(BILLING, headers=headers))
    assert [address for response in responses for address in get_targets(response)]
    for response in responses:
        assert EVIL not in str(response.headers) + response.content.decode()


@pytest.mark.parametrize("form", FORMS)
def test_disallowed_hosts_are_rejected(alguna: FakeApi, manager: User, form: str) -> None:
    """Django returns 400 before a session is created."""
    response = sign_in(manager).get(BILLING, headers=FORMS[form] | {"Host": EVIL})
    assert response.status_code == 400
    assert get_targets(response) == []
    assert alguna.requests == []


def test_next_contains_only_allowed_hosts(db: None, settings: Settings) -> None:
    """If the sign-in page is on another host, `next` is an absolute URL."""
    settings.LOGIN_URL = "https://login.example.com/"
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if not each.endswith("CommonMiddleware")]
    response = Client().get(BILLING)
    assert response["Location"] == "https://login.example.com/?next=http%3A//testserver/billing/"
    assert Client().get(BILLING, headers=POISON).status_code == 400
