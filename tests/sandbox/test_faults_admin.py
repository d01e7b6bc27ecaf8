"""The admin page for simulated faults."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.sandbox.conftest import SandboxClient, get_text

PAGE = "/admin/alguna_sandbox/simulatedfault/"


@pytest.fixture
def staff(sandbox: SandboxClient) -> User:
    """A staff member with the permission to change the sandbox's records."""
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_record"))
    return user


@pytest.fixture
def admin(staff: User, client: Client) -> Client:
    client.force_login(staff)
    return client


def test_common_fault_is_set_and_cleared(sandbox: SandboxClient, admin: Client) -> None:
    assert "Now: No simulated faults" in get_text(admin.get(PAGE))
    after = admin.post(PAGE, {"common": "gateway", "text": ""}, follow=True)
    assert "The simulated faults have changed." in get_text(after)
    assert "<code>gateway</code>" in after.content.decode()
    assert sandbox.request("GET", "/customers").status_code == 401
    assert "Now: No simulated faults" in get_text(admin.post(PAGE, {"clear": "Clear", "text": "nonsense"}, follow=True))
    assert sandbox.request("GET", "/customers").status_code == 200


def test_all_common_faults_are_valid(admin: Client) -> None:
    common_faults = re.findall(r'<option value="([^"]+)"', admin.get(PAGE).content.decode())
    assert len(common_faults) > 5
    for fault in common_faults:
        assert f"<code>{fault}</code>" in admin.post(PAGE, {"common": fault}, follow=True).content.decode()


def test_text_has_priority_over_the_list(admin: Client) -> None:
    after = admin.post(PAGE, {"common": "gateway", "text": "latency=1; times=4"}, follow=True)
    assert "<code>latency=1; times=4</code>" in after.content.decode()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"text": "statsu=503"}, "&#x27;statsu&#x27; is no part that is known"),
        ({}, "The text is empty"),
        ({"common": "unknown"}, "Select a valid choice"),
    ],
)
def test_errors_are_shown_at_the_field(admin: Client, data: dict[str, str], error: str) -> None:
    response = admin.post(PAGE, data)
    assert error in response.content.decode()
    assert 'aria-invalid="true"' in response.content.decode()
    assert "Now: No simulated faults" in get_text(response)


def test_index_links_to_the_page_but_not_to_records(admin: Client) -> None:
    assert f'href="{PAGE}"' in admin.get("/admin/").content.decode()
    assert admin.get("/admin/alguna_sandbox/record/").status_code == 404
    assert admin.get(f"{PAGE}1/change/").status_code == 404


def test_permission_to_change_records_is_required(sandbox: SandboxClient, client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    client.force_login(User.objects.create_user("other", is_staff=True))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"common": "drop"}).status_code == 403
    assert PAGE not in client.get("/admin/").content.decode()
    assert sandbox.request("GET", "/customers").status_code == 200


def test_csrf_token_is_required(sandbox: SandboxClient, staff: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff)
    assert strict.post(PAGE, {"common": "gateway"}).status_code == 403
    assert sandbox.request("GET", "/customers").status_code == 200


def test_page_returns_404_without_debug(admin: Client, settings: Any) -> None:
    settings.DEBUG = False
    assert admin.get(PAGE).status_code == 404
