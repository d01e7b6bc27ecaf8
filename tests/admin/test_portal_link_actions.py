"""Mailed links revoked and sent again from the admin: by whom, which, and what is told of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.admin import PortalLinkAdmin, actions
from alguna_portal.links import LinkUnusable, open_link, send_link
from alguna_portal.links.tasks import mail_link
from alguna_portal.models import Customer, PortalLink
from tests.admin.test_create_in_alguna import messages
from tests.admin.test_customer import browser, text
from tests.admin.test_portal_link import LIST, detail, row
from tests.admin.test_send_portal_links import lost_at, named, recipients
from tests.admin.test_send_portal_links_batch import UNTRIED, UNTRIED_ONE
from tests.support import mailers
from tests.support.mailers import mail_by
from tests.test_tasks import backend

STAYS = ("info", "A new link, to the same recipient: the earlier one stays what it is.")
ALL_STAY = ("info", "New links, to the same recipients: the earlier ones stay what they are.")
AN_HOUR = timedelta(hours=1)


def act(client: Client, action: str, *links: PortalLink) -> Any:
    """Choose an action for some links in the list."""
    fields = {"action": action, "_selected_action": [link.pk for link in links], "index": 0, "select_across": 0}
    return client.post(LIST, fields, follow=True)


def door(name: str, link: PortalLink) -> str:
    """What a button on a link's page posts to."""
    return reverse(f"admin:alguna_portal_portallink_{name}", args=[link.pk])


@pytest.fixture
def link(acme: Customer) -> PortalLink:
    """A link that works."""
    return row(acme, role="viewer", note="See you.")


@pytest.fixture
def other(umbrella: Customer) -> PortalLink:
    """Somebody else's."""
    return row(umbrella, recipient="else@umbrella.example")


def test_revoking_is_reported_and_keeps_earlier_times(admin_client: Client, acme: Customer, other: PortalLink) -> None:
    link = send_link(acme, to="billing@acme.example")
    long_ago = timezone.now() - timedelta(days=3)
    done = row(acme, revoked_at=long_ago)
    told = messages(act(admin_client, "revoke", link, done))
    assert told == [("success", "1 portal link revoked."), ("info", "1 link was revoked already.")]
    for each in (link, done, other):
        each.refresh_from_db()
    assert (link.state, done.revoked_at, other.state) == ("revoked", long_ago, "active")
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(link.pk), "Revoked.")
    assert entry.user.get_username() == "admin"
    assert messages(act(admin_client, "revoke", link, done)) == [("info", "2 links were revoked already.")]


def test_a_revoked_link_and_its_renewal_open_nothing(admin_client: Client, acme: Customer) -> None:
    link = send_link(acme, to="billing@acme.example")
    renewal = row(acme, renews=link)
    act(admin_client, "revoke", link)
    for each in (link, renewal):
        with pytest.raises(LinkUnusable):
            open_link(each)


def test_sending_again_creates_a_new_link(admin_client: Client, link: PortalLink, other: PortalLink) -> None:
    told = messages(act(admin_client, "send_again", link))
    assert told == [("success", "1 portal link sent."), STAYS]
    assert recipients() == ["billing@acme.example"]
    again = PortalLink.objects.exclude(pk__in=[link.pk, other.pk]).get()
    assert (again.customer, again.recipient, again.role, again.note) == (
        link.customer,
        link.recipient,
        "viewer",
        "See you.",
    )
    assert again.sent_by
    assert (again.sent_by.get_username(), again.state) == ("admin", "active")
    link.refresh_from_db()
    assert (link.state, again.key == link.key) == ("active", False)
    noted = {(entry.object_id, entry.get_change_message()) for entry in LogEntry.objects.all()}
    assert noted == {
        (str(link.customer.pk), "Portal link sent."),
        (str(link.pk), "Sent again, as a new link."),
    }


@pytest.mark.django_db(transaction=True)
def test_with_a_queue_links_are_sent_again_by_workers(
    admin_client: Client, settings: Settings, link: PortalLink, other: PortalLink
) -> None:
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("dummy")
    told = messages(act(admin_client, "send_again", link, other))
    assert told == [("success", "2 portal links queued: workers mail them."), ALL_STAY]
    queue: Any = mail_link.get_backend()
    assert (len(queue.results), mail.outbox) == (2, [])


def test_failures_are_grouped_by_error_and_name_each_customer_once(
    admin_client: Client,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    acme: Customer,
    umbrella: Customer,
    link: PortalLink,
) -> None:
    mail_by(settings, "tests.support.mailers.Picky")
    monkeypatch.setattr(actions, "MAX_MESSAGES", 1)
    malformed = row(acme, recipient="no address")
    refused = [row(acme, recipient=f"refused{number}@acme.example") for number in range(3)]
    refused.append(row(umbrella, recipient="refused@umbrella.example", created_at=refused[0].created_at - AN_HOUR))
    told = messages(act(admin_client, "send_again", malformed, link, *refused))
    assert told == [
        ("success", "1 portal link sent."),
        STAYS,
        ("error", f"4 portal links failed (SMTPRecipientsRefused): {named(acme)}, and 1 more"),
        ("error", f"1 portal link failed (malformed e-mail address): {named(acme)}"),
    ]
    assert recipients() == ["billing@acme.example"]
    noted = LogEntry.objects.filter(change_message__contains="Sent again")
    assert [entry.object_id for entry in noted] == [str(link.pk)]


def test_links_are_sent_again_over_one_connection(admin_client: Client, settings: Settings, acme: Customer) -> None:
    mail_by(settings, "tests.support.mailers.Picky")
    mailers.Picky.opened = 0
    act(admin_client, "send_again", *(row(acme, recipient=f"b{number}@acme.example") for number in range(5)))
    assert (len(recipients()), mailers.Picky.opened) == (5, 1)


def test_revoked_links_are_only_sent_again_from_their_page(
    admin_client: Client, acme: Customer, link: PortalLink
) -> None:
    revoked = [row(acme, recipient=f"fired{number}@acme.example", revoked_at=timezone.now()) for number in range(2)]
    told = messages(act(admin_client, "send_again", link, *revoked))
    assert told == [
        ("warning", "2 revoked links were left out: open one to send it again."),
        ("success", "1 portal link sent."),
        STAYS,
    ]
    assert recipients() == ["billing@acme.example"]
    told = messages(act(admin_client, "send_again", revoked[0]))
    assert told == [("warning", "1 revoked link was left out: open it to send it again.")]
    told = messages(admin_client.post(door("send_again", revoked[0]), follow=True))
    assert told == [("success", "1 portal link sent."), STAYS]
    assert recipients() == ["billing@acme.example", "fired0@acme.example"]


def test_links_that_were_not_tried_are_reported(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, acme: Customer, link: PortalLink
) -> None:
    monkeypatch.setattr(actions, "START_SECONDS", 0.0)
    ((level, said),) = messages(act(admin_client, "send_again", link))
    assert (level, said) == ("warning", UNTRIED_ONE % named(acme))
    assert (PortalLink.objects.get(), mail.outbox, LogEntry.objects.exists()) == (link, [], False)
    told = messages(act(admin_client, "send_again", link, row(acme)))
    assert told == [("warning", UNTRIED % (2, named(acme)))]


def test_an_unexpected_error_does_not_hide_links_sent_again(
    admin_client: Client, link: PortalLink, other: PortalLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost_at(monkeypatch, 2)
    admin_client.raise_request_exception = False
    assert act(admin_client, "send_again", link, other).status_code == 500
    assert messages(admin_client.get(LIST)) == [
        ("error", "An unexpected error ended it: 1 portal link was not sent, as far as is known."),
        ("success", "1 portal link sent."),
        STAYS,
    ]
    # The newest first.
    assert recipients() == ["else@umbrella.example"]
    noted = {(entry.object_id, entry.get_change_message()) for entry in LogEntry.objects.all()}
    assert noted == {
        (str(other.customer.pk), "Portal link sent."),
        (str(other.pk), "Sent again, as a new link."),
    }


def test_without_a_customer_admin_messages_contain_no_links(
    admin_client: Client, settings: Settings, link: PortalLink
) -> None:
    mail_by(settings, "tests.support.mailers.Down")
    customers = admin.site._registry.pop(Customer)
    try:
        told = messages(act(admin_client, "send_again", link))
    finally:
        admin.site._registry[Customer] = customers
    assert told == [("error", "1 portal link failed (ConnectionRefusedError): Acme")]


def test_a_missing_setting_is_reported(admin_client: Client, settings: Settings, link: PortalLink) -> None:
    settings.ALGUNA_PORTAL_SITE_URL = ""
    ((level, said),) = messages(act(admin_client, "send_again", link))
    assert (level, said.startswith("ALGUNA_PORTAL_SITE_URL is not set.")) == ("error", True)
    assert PortalLink.objects.count() == 1


def test_the_page_has_buttons_that_post(admin_client: Client, link: PortalLink) -> None:
    shown = text(admin_client.get(detail(link)))
    for name in ("revoke", "send_again"):
        form = shown.split(f'<form method="post" action="{door(name, link)}">')[1].split("</form>")[0]
        assert "csrfmiddlewaretoken" in form
    assert shown.index(door("revoke", link)) < shown.index('id="portallink_form"')
    done = admin_client.post(door("revoke", link), follow=True)
    assert done.redirect_chain == [(detail(link), 302)]
    assert messages(done) == [("success", "1 portal link revoked.")]
    assert door("revoke", link) not in text(done)
    done = admin_client.post(door("send_again", link), follow=True)
    assert messages(done) == [("success", "1 portal link sent."), STAYS]
    assert recipients() == ["billing@acme.example"]


@pytest.mark.parametrize("name", ["revoke", "send_again"])
def test_get_requests_are_rejected(admin_client: Client, link: PortalLink, name: str) -> None:
    assert admin_client.get(door(name, link)).status_code == 405
    link.refresh_from_db()
    assert (link.state, mail.outbox) == ("active", [])


@pytest.mark.parametrize("name", ["revoke", "send_again"])
def test_the_csrf_token_is_required(admin_user: User, link: PortalLink, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(door(name, link)).status_code == 403
    link.refresh_from_db()
    assert (link.state, mail.outbox) == ("active", [])


def test_an_unknown_link_is_not_found(admin_client: Client) -> None:
    for name in ("revoke", "send_again"):
        assert admin_client.post(door(name, PortalLink(pk=999))).status_code == 404


@pytest.mark.parametrize(
    ("permission", "mine", "other"),
    [("revoke_portallink", "revoke", "send_again"), ("send_portallink", "send_again", "revoke")],
)
def test_each_permission_allows_only_its_own_action(
    stranger: User, link: PortalLink, permission: str, mine: str, other: str
) -> None:
    helper = browser(stranger, "view_portallink", permission)
    shown = text(helper.get(LIST)) + text(helper.get(detail(link)))
    assert f'<option value="{mine}">' in shown
    assert door(mine, link) in shown
    assert f'<option value="{other}">' not in shown
    assert door(other, link) not in shown
    act(helper, other, link)
    assert helper.post(door(other, link)).status_code == 403
    link.refresh_from_db()
    assert (link.state == "revoked", len(mail.outbox)) == (False, 0)
    assert helper.post(door(mine, link)).status_code == 302
    link.refresh_from_db()
    assert (link.state == "revoked") is (mine == "revoke")
    assert len(mail.outbox) == (mine == "send_again")


def test_actions_need_the_view_permission(stranger: User, link: PortalLink) -> None:
    helper = browser(stranger, "revoke_portallink", "send_portallink", "view_customer")
    for name in ("revoke", "send_again"):
        assert helper.post(door(name, link)).status_code == 403
        assert act(helper, name, link).status_code == 403
    link.refresh_from_db()
    assert (link.state, mail.outbox) == ("active", [])


def test_the_view_permission_is_checked_for_each_link(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, link: PortalLink, other: PortalLink
) -> None:
    monkeypatch.setattr(PortalLinkAdmin, "has_view_permission", lambda self, request, obj=None: obj != other)
    act(admin_client, "send_again", link, other)
    act(admin_client, "revoke", link, other)
    for each in (link, other):
        each.refresh_from_db()
    assert (link.state, other.state) == ("revoked", "active")
    assert recipients() == ["billing@acme.example"]


def test_of_identical_links_as_many_are_found_as_were_sent(acme: Customer) -> None:
    first, second = row(acme), row(acme)
    assert actions.find_resent_links([first, second], [row(acme)]) == [first]
