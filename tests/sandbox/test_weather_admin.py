"""The weather in the admin."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.sandbox.conftest import Door, text

PAGE = "/admin/alguna_sandbox/simulatedfault/"


@pytest.fixture
def staff(door: Door) -> User:
    """Somebody of the staff who may change the sandbox's records."""
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_record"))
    return user


@pytest.fixture
def admin(staff: User, client: Client) -> Client:
    """Their browser."""
    client.force_login(staff)
    return client


def test_a_common_day_is_chosen_and_cleared(door: Door, admin: Client) -> None:
    """The page says what is now, and the API does it."""
    assert "Now: No simulated faults" in text(admin.get(PAGE))
    after = admin.post(PAGE, {"common": "gateway", "text": ""}, follow=True)
    assert "The simulated faults have changed." in text(after)
    assert "<code>gateway</code>" in after.content.decode()
    assert door.ask("GET", "/customers").status_code == 401
    assert "Now: No simulated faults" in text(admin.post(PAGE, {"clear": "Clear", "text": "nonsense"}, follow=True))
    assert door.ask("GET", "/customers").status_code == 200


def test_every_common_day_can_be_read(admin: Client) -> None:
    """The list and the grammar agree."""
    days = re.findall(r'<option value="([^"]+)"', admin.get(PAGE).content.decode())
    assert len(days) > 5
    for day in days:
        assert f"<code>{day}</code>" in admin.post(PAGE, {"common": day}, follow=True).content.decode()


def test_what_is_written_wins_over_the_list(admin: Client) -> None:
    """It is the more exact."""
    after = admin.post(PAGE, {"common": "gateway", "text": "latency=1; times=4"}, follow=True)
    assert "<code>latency=1; times=4</code>" in after.content.decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"text": "statsu=503"}, "&#x27;statsu&#x27; is no part that is known"),
        ({}, "The text is empty"),
        ({"common": "sunshine"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_read_is_said_at_the_field(admin: Client, data: dict[str, str], said: str) -> None:
    """Nothing changes."""
    refused = admin.post(PAGE, data)
    assert said in refused.content.decode()
    assert 'aria-invalid="true"' in refused.content.decode()
    assert "Now: No simulated faults" in text(refused)


def test_the_index_leads_to_the_page_and_records_are_not_shown(admin: Client) -> None:
    """Sessions and remembered answers are nobody's to read."""
    assert f'href="{PAGE}"' in admin.get("/admin/").content.decode()
    assert admin.get("/admin/alguna_sandbox/record/").status_code == 404
    assert admin.get(f"{PAGE}1/change/").status_code == 404


def test_who_may_not_change_records_gets_nothing(door: Door, client: Client) -> None:
    """Staff without the permission is refused, anybody else is asked to sign in."""
    assert client.get(PAGE).status_code == 302
    client.force_login(User.objects.create_user("other", is_staff=True))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"common": "drop"}).status_code == 403
    assert PAGE not in client.get("/admin/").content.decode()
    assert door.ask("GET", "/customers").status_code == 200


def test_a_post_without_a_csrf_token_changes_nothing(door: Door, staff: User) -> None:
    """The admin's own protection holds here."""
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff)
    assert strict.post(PAGE, {"common": "gateway"}).status_code == 403
    assert door.ask("GET", "/customers").status_code == 200


def test_outside_development_there_is_no_page(admin: Client, settings: Any) -> None:
    """As with every door of the sandbox."""
    settings.DEBUG = False
    assert admin.get(PAGE).status_code == 404
