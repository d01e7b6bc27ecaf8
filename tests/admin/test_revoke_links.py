"""Links revoked in the admin while something goes wrong: what was revoked by then is messages, and history."""

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from alguna_portal.models import Customer, PortalLink
from tests.support.admin import create_link, get_history, get_list_url, get_messages, run_action

LIST = get_list_url(PortalLink)

UNREVOKED = "An unexpected error ended it: 2 portal links were not revoked, as far as is known."


@pytest.fixture
def links(acme: Customer) -> list[PortalLink]:
    """Three links that work, in the order of the list."""
    return [create_link(acme), create_link(acme), create_link(acme)][::-1]


def test_a_link_deleted_during_the_action_does_not_stop_it(
    admin_client: Client, links: list[PortalLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = links
    revoke, key = PortalLink.revoke, second.pk

    def meanwhile(self: PortalLink) -> None:
        PortalLink.objects.filter(pk=key).delete()
        revoke(self)

    monkeypatch.setattr(PortalLink, "revoke", meanwhile)
    assert get_messages(run_action(admin_client, "revoke", *links)) == [
        ("success", "2 portal links revoked."),
        ("info", "1 link was deleted meanwhile."),
    ]
    assert get_history() == {(str(first.pk), "Revoked."), (str(third.pk), "Revoked.")}


def test_an_unexpected_error_does_not_hide_revoked_links(
    failing_client: Client, links: list[PortalLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke = PortalLink.revoke

    def lost(self: PortalLink) -> None:
        if self == links[1]:
            raise OperationalError("lost")
        revoke(self)

    monkeypatch.setattr(PortalLink, "revoke", lost)
    assert run_action(failing_client, "revoke", *links).status_code == 500
    assert get_messages(failing_client.get(LIST)) == [("error", UNREVOKED), ("success", "1 portal link revoked.")]
    assert get_history() == {(str(links[0].pk), "Revoked.")}
    assert list(PortalLink.objects.filter(revoked_at=None)) == links[1:]


def test_a_link_is_revoked_in_the_primary_database(settings: Settings, links: list[PortalLink]) -> None:
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.Elsewhere"]
    links[0].revoke()
    assert links[0].state == "revoked"
    settings.DATABASE_ROUTERS = []
    assert PortalLink.objects.get(pk=links[0].pk).revoked_at == links[0].revoked_at


def test_revoking_a_deleted_link_raises_no_error(links: list[PortalLink]) -> None:
    PortalLink.objects.filter(pk=links[0].pk).delete()
    links[0].revoke()
    assert links[0].revoked_at is None
