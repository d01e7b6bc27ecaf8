"""The actions of the link admin: revoking links and sending them again."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.admin import actions
from alguna_portal.links import LinkUnusable, open_link, send_link
from alguna_portal.models import Customer, PortalLink
from tests.support import mailers
from tests.support.admin import (
    UNTRIED,
    UNTRIED_ONE,
    create_link,
    fail_at_call,
    get_history,
    get_list_url,
    get_messages,
    get_recipients,
    get_text,
    get_url,
    render_customer,
    run_action,
    unregister,
)
from tests.support.mailers import use_email_backend

LIST = get_list_url(PortalLink)
STAYS = ("info", "A new link, to the same recipient: the earlier one stays what it is.")
ALL_STAY = ("info", "New links, to the same recipients: the earlier ones stay what they are.")
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def link(acme: Customer) -> PortalLink:
    """An active link."""
    return create_link(acme, role="viewer", note="See you.")


@pytest.fixture
def other(umbrella: Customer) -> PortalLink:
    """A link to another customer."""
    return create_link(umbrella, recipient="else@umbrella.example")


def test_revoking_is_reported_and_keeps_earlier_times(admin_client: Client, acme: Customer, other: PortalLink) -> None:
    link = send_link(acme, to="billing@acme.example")
    long_ago = timezone.now() - timedelta(days=3)
    done = create_link(acme, revoked_at=long_ago)
    messages = get_messages(run_action(admin_client, "revoke", link, done))
    assert messages == [("success", "1 portal link revoked."), ("info", "1 link was revoked already.")]
    for each in (link, done, other):
        each.refresh_from_db()
    assert (link.state, done.revoked_at, other.state) == ("revoked", long_ago, "active")
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(link.pk), "Revoked.")
    assert entry.user.get_username() == "admin"
    assert get_messages(run_action(admin_client, "revoke", link, done)) == [("info", "2 links were revoked already.")]


def test_a_revoked_link_and_its_renewal_open_nothing(admin_client: Client, acme: Customer) -> None:
    link = send_link(acme, to="billing@acme.example")
    renewal = create_link(acme, renews=link)
    run_action(admin_client, "revoke", link)
    for each in (link, renewal):
        with pytest.raises(LinkUnusable):
            open_link(each)


def test_sending_again_creates_a_new_link(admin_client: Client, link: PortalLink, other: PortalLink) -> None:
    messages = get_messages(run_action(admin_client, "send_again", link))
    assert messages == [("success", "1 portal link sent."), STAYS]
    assert get_recipients() == ["billing@acme.example"]
    again = PortalLink.objects.exclude(pk__in=[link.pk, other.pk]).get()
    assert (again.customer, again.recipient) == (link.customer, link.recipient)
    assert (again.role, again.note) == ("viewer", "See you.")
    assert again.sent_by
    assert (again.sent_by.get_username(), again.state) == ("admin", "active")
    link.refresh_from_db()
    assert (link.state, again.key == link.key) == ("active", False)
    sent = {(str(link.customer.pk), "Portal link sent."), (str(link.pk), "Sent again, as a new link.")}
    assert get_history() == sent


@pytest.mark.django_db(transaction=True)
def test_with_a_queue_links_are_sent_again_by_workers(
    admin_client: Client, queued: Any, link: PortalLink, other: PortalLink
) -> None:
    messages = get_messages(run_action(admin_client, "send_again", link, other))
    assert messages == [("success", "2 portal links queued: workers mail them."), ALL_STAY]
    assert (len(queued.results), mail.outbox) == (2, [])


def test_failures_are_grouped_by_error_and_name_each_customer_once(
    admin_client: Client,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    acme: Customer,
    umbrella: Customer,
    link: PortalLink,
) -> None:
    use_email_backend(settings, "tests.support.mailers.RefusingBackend")
    monkeypatch.setattr(actions, "MAX_MESSAGES", 1)
    malformed = create_link(acme, recipient="no address")
    refused = [create_link(acme, recipient=f"refused{number}@acme.example") for number in range(3)]
    refused.append(
        create_link(umbrella, recipient="refused@umbrella.example", created_at=refused[0].created_at - AN_HOUR)
    )
    messages = get_messages(run_action(admin_client, "send_again", malformed, link, *refused))
    assert messages == [
        ("success", "1 portal link sent."),
        STAYS,
        ("error", f"4 portal links failed (SMTPRecipientsRefused): {render_customer(acme)}, and 1 more"),
        ("error", f"1 portal link failed (malformed e-mail address): {render_customer(acme)}"),
    ]
    assert get_recipients() == ["billing@acme.example"]
    history = LogEntry.objects.filter(change_message__contains="Sent again")
    assert [entry.object_id for entry in history] == [str(link.pk)]


def test_links_are_sent_again_over_one_connection(admin_client: Client, settings: Settings, acme: Customer) -> None:
    use_email_backend(settings, "tests.support.mailers.RefusingBackend")
    mailers.RefusingBackend.opened = 0
    run_action(
        admin_client, "send_again", *(create_link(acme, recipient=f"b{number}@acme.example") for number in range(5))
    )
    assert (len(get_recipients()), mailers.RefusingBackend.opened) == (5, 1)


def test_revoked_links_are_only_sent_again_from_their_page(
    admin_client: Client, acme: Customer, link: PortalLink
) -> None:
    revoked = [
        create_link(acme, recipient=f"fired{number}@acme.example", revoked_at=timezone.now()) for number in range(2)
    ]
    messages = get_messages(run_action(admin_client, "send_again", link, *revoked))
    assert messages == [
        ("warning", "2 revoked links were left out: open one to send it again."),
        ("success", "1 portal link sent."),
        STAYS,
    ]
    assert get_recipients() == ["billing@acme.example"]
    messages = get_messages(run_action(admin_client, "send_again", revoked[0]))
    assert messages == [("warning", "1 revoked link was left out: open it to send it again.")]
    messages = get_messages(admin_client.post(get_url(revoked[0], "send_again"), follow=True))
    assert messages == [("success", "1 portal link sent."), STAYS]
    assert get_recipients() == ["billing@acme.example", "fired0@acme.example"]


def test_links_that_were_not_tried_are_reported(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, acme: Customer, link: PortalLink
) -> None:
    monkeypatch.setattr(actions, "START_SECONDS", 0.0)
    ((level, text),) = get_messages(run_action(admin_client, "send_again", link))
    assert (level, text) == ("warning", UNTRIED_ONE % render_customer(acme))
    assert (PortalLink.objects.get(), mail.outbox, LogEntry.objects.exists()) == (link, [], False)
    messages = get_messages(run_action(admin_client, "send_again", link, create_link(acme)))
    assert messages == [("warning", UNTRIED % (2, render_customer(acme)))]


def test_an_unexpected_error_does_not_hide_links_sent_again(
    failing_client: Client, link: PortalLink, other: PortalLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at_call(monkeypatch, PortalLink, "save", 2)
    assert run_action(failing_client, "send_again", link, other).status_code == 500
    assert get_messages(failing_client.get(LIST)) == [
        ("error", "An unexpected error ended it: 1 portal link was not sent, as far as is known."),
        ("success", "1 portal link sent."),
        STAYS,
    ]
    # The newest first.
    assert get_recipients() == ["else@umbrella.example"]
    history = get_history()
    assert history == {
        (str(other.customer.pk), "Portal link sent."),
        (str(other.pk), "Sent again, as a new link."),
    }


def test_without_a_customer_admin_messages_contain_no_links(
    admin_client: Client, settings: Settings, link: PortalLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_email_backend(settings, "tests.support.mailers.UnreachableBackend")
    unregister(monkeypatch, Customer)
    messages = get_messages(run_action(admin_client, "send_again", link))
    assert messages == [("error", "1 portal link failed (ConnectionRefusedError): Acme")]


def test_a_missing_setting_is_reported(admin_client: Client, settings: Settings, link: PortalLink) -> None:
    settings.ALGUNA_PORTAL_SITE_URL = ""
    ((level, text),) = get_messages(run_action(admin_client, "send_again", link))
    assert (level, text.startswith("ALGUNA_PORTAL_SITE_URL is not set.")) == ("error", True)
    assert PortalLink.objects.count() == 1


def test_the_page_has_buttons_that_post(admin_client: Client, link: PortalLink) -> None:
    shown = get_text(admin_client.get(get_url(link)))
    for name in ("revoke", "send_again"):
        form = shown.split(f'<form method="post" action="{get_url(link, name)}">')[1].split("</form>")[0]
        assert "csrfmiddlewaretoken" in form
    assert shown.index(get_url(link, "revoke")) < shown.index('id="portallink_form"')
    done = admin_client.post(get_url(link, "revoke"), follow=True)
    assert done.redirect_chain == [(get_url(link), 302)]
    assert get_messages(done) == [("success", "1 portal link revoked.")]
    assert get_url(link, "revoke") not in get_text(done)
    done = admin_client.post(get_url(link, "send_again"), follow=True)
    assert get_messages(done) == [("success", "1 portal link sent."), STAYS]
    assert get_recipients() == ["billing@acme.example"]


def test_of_identical_links_as_many_are_found_as_were_sent(acme: Customer) -> None:
    first, second = create_link(acme), create_link(acme)
    assert actions.find_resent_links([first, second], [create_link(acme)]) == [first]


UNREVOKED = "An unexpected error ended it: 2 portal links were not revoked, as far as is known."


@pytest.fixture
def links(acme: Customer) -> list[PortalLink]:
    """Three active links, in the order of the changelist."""
    return [create_link(acme), create_link(acme), create_link(acme)][::-1]


def test_a_link_deleted_during_the_action_does_not_stop_it(
    admin_client: Client, links: list[PortalLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = links
    revoke, key = PortalLink.revoke, second.pk

    def delete_second(self: PortalLink) -> None:
        PortalLink.objects.filter(pk=key).delete()
        revoke(self)

    monkeypatch.setattr(PortalLink, "revoke", delete_second)
    assert get_messages(run_action(admin_client, "revoke", *links)) == [
        ("success", "2 portal links revoked."),
        ("info", "1 link was deleted meanwhile."),
    ]
    assert get_history() == {(str(first.pk), "Revoked."), (str(third.pk), "Revoked.")}


def test_an_unexpected_error_does_not_hide_revoked_links(
    failing_client: Client, links: list[PortalLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at_call(monkeypatch, PortalLink, "revoke", 2)
    assert run_action(failing_client, "revoke", *links).status_code == 500
    assert get_messages(failing_client.get(LIST)) == [("error", UNREVOKED), ("success", "1 portal link revoked.")]
    assert get_history() == {(str(links[0].pk), "Revoked.")}
    assert list(PortalLink.objects.filter(revoked_at=None)) == links[1:]


def test_a_link_is_revoked_in_the_primary_database(settings: Settings, links: list[PortalLink]) -> None:
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.ObjectDatabaseRouter"]
    links[0].revoke()
    assert links[0].state == "revoked"
    settings.DATABASE_ROUTERS = []
    assert PortalLink.objects.get(pk=links[0].pk).revoked_at == links[0].revoked_at


def test_revoking_a_deleted_link_raises_no_error(links: list[PortalLink]) -> None:
    PortalLink.objects.filter(pk=links[0].pk).delete()
    links[0].revoke()
    assert links[0].revoked_at is None
