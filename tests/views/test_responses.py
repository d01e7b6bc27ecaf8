"""Response formats of the billing view: redirects and pages, JSON and htmx."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from alguna_portal.models import Customer, Membership, PortalLink
from tests.conftest import FakeApi
from tests.support.clients import BILLING, assert_private, sign_in
from tests.views.test_billing import get_all_pages

JSON = {"Accept": "application/json"}
HTMX = {"HX-Request": "true"}
KIND = "urn:problem-type:alguna-portal:"
CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


def check_problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    """Check a problem document and return it."""
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert_private(response)
    document: dict[str, Any] = response.json()
    assert document["type"] == KIND + kind
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert "Location" not in response
    return document


@pytest.mark.parametrize("method", ["get", "post"])
def test_json_contains_url_and_expires_at(alguna: FakeApi, manager: User, method: str) -> None:
    response = getattr(sign_in(manager), method)(BILLING, headers=JSON)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert_private(response)
    assert set(response.json()) == {"url", "expires_at"}
    assert response.json()["url"] == alguna.url(1)
    left = datetime.fromisoformat(response.json()["expires_at"]) - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (CHROMIUM, "page"),
        ("*/*", "page"),
        ("", "page"),
        ("text/plain", "page"),
        ("nonsense", "page"),
        ("application/json;q=0.5, text/html", "page"),
        ("text/html, application/json", "page"),
        ("application/jsonp", "page"),
        ("application/json", "json"),
        ("application/problem+json", "json"),
        ("application/json, text/plain, */*", "json"),
        ("application/json, */*;q=0.1", "json"),
        ("APPLICATION/JSON;q=0.9, text/html;q=0.8", "json"),
        ("application/json; charset=utf-8", "json"),
        ("application/json;q=0, */*", "page"),
        ("text/*, application/json;q=0.9", "page"),
        ("application/json; a*=nope''b%41", "page"),
    ],
)
def test_the_accept_header_selects_the_format(alguna: FakeApi, manager: User, accept: str, form: str) -> None:
    response = sign_in(manager).get(BILLING, headers={"Accept": accept})
    assert (response.status_code, response["Vary"]) == ({"page": 302, "json": 200}[form], "Accept, HX-Request, Cookie")


def test_json_for_anonymous_users_contains_the_sign_in_url(alguna: FakeApi) -> None:
    """A script would follow a redirect to an HTML page."""
    response = Client().get(BILLING + "?customer=3", headers=JSON)
    document = check_problem(response, 401, "login-required")
    assert document["login_url"] == "/login/?next=/billing/%3Fcustomer%3D3"
    assert response["WWW-Authenticate"].startswith("Cookie ")
    assert alguna.requests == []


def test_the_views_are_exempt_from_login_required_middleware(
    alguna: FakeApi, manager: User, link: PortalLink, settings: Settings, mailoutbox: list[Any]
) -> None:
    """It would redirect scripts to a page, and recipients of links to sign-in."""
    forms: list[dict[str, str]] = [{}, JSON, HTMX]
    before = [Client().get(BILLING, headers=form) for form in forms]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    for form, expected in zip(forms, before, strict=True):
        response = Client().get(BILLING, headers=form)
        assert response.status_code == expected.status_code == (401 if form else 302)
        assert (response.headers, response.content) == (expected.headers, expected.content)
        assert sign_in(manager).get(BILLING, headers=form).status_code == (200 if form else 302)
    check_problem(Client().get(BILLING, headers=JSON), 401, "login-required")
    (mail,) = mailoutbox
    (url,) = [line for line in mail.body.splitlines() if line.startswith("https://app.example.com")]
    path = url.removeprefix("https://app.example.com")
    assert Client().get(path).status_code == 200
    assert alguna.url(2) in Client().post(path)["Refresh"]


def test_json_for_users_without_a_customer(alguna: FakeApi, non_member: User) -> None:
    client = sign_in(non_member)
    check_problem(client.get(BILLING, headers=JSON), 403, "no-access")
    check_problem(client.get(BILLING + "?customer=1", headers=JSON), 403, "no-access")
    assert alguna.requests == []


def test_json_contains_the_choices(alguna: FakeApi, manager: User, acme: Customer, umbrella: Customer) -> None:
    """With name, role and URL of each; `fresh` is kept."""
    Membership.objects.create(user=manager, customer=umbrella, role="viewer")
    client = sign_in(manager)
    choices = check_problem(client.get(BILLING, headers=JSON), 409, "choose")["choices"]
    assert choices == [
        {"customer": str(acme.pk), "name": "Acme", "role": "manager", "url": f"/billing/?customer={acme.pk}"},
        {
            "customer": str(umbrella.pk),
            "name": "Umbrella",
            "role": "viewer",
            "url": f"/billing/?customer={umbrella.pk}",
        },
    ]
    for number, choice in enumerate(choices, 1):
        assert client.get(choice["url"], headers=JSON).json()["url"] == alguna.url(number)
    fresh = client.get(BILLING + "?fresh=1", headers=JSON).json()["choices"][0]["url"]
    assert client.get(fresh, headers=JSON).json()["url"] == alguna.url(3)


def test_json_contains_retry_after(alguna: FakeApi, manager: User, acme: Customer) -> None:
    """Also the URL to try again."""
    alguna.fail(503, Retry_After="7")
    client = sign_in(manager)
    response = client.get(BILLING + "?fresh=1", headers=JSON)
    document = check_problem(response, 503, "unavailable")
    assert (document["retry_after"], response["Retry-After"]) == (7, "7")
    assert document["url"] == f"/billing/?customer={acme.pk}&fresh=1"
    assert client.get(document["url"], headers=JSON).status_code == 200


@pytest.mark.parametrize("debug", [True, False])
def test_json_contains_the_reason_only_under_debug(
    alguna: FakeApi, manager: User, settings: Settings, *, debug: bool
) -> None:
    settings.DEBUG = debug
    alguna.fail(401, '{"detail": "so there"}')
    document = check_problem(sign_in(manager).get(BILLING, headers=JSON), 502, "failed")
    assert ("so there" in document.get("reason", "")) is debug


@pytest.mark.parametrize(
    "headers",
    [
        *({"Sec-Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}),
        *({"X-Moz": "prefetch"}, {"X-Purpose": "preview"}, {"X-Sec-Purpose": "prefetch"}, {"HX-Preloaded": "true"}),
    ],
)
def test_prefetches_are_refused_in_each_format(alguna: FakeApi, manager: User, headers: dict[str, str]) -> None:
    """Of browsers, of older browsers, of Turbo and of htmx's preload extension."""
    client = sign_in(manager)
    for form in ({}, JSON, HTMX):
        response = client.get(BILLING, headers=headers | form)
        assert response.status_code == 403
        assert_private(response)
    check_problem(client.get(BILLING, headers=headers | JSON), 403, "prefetch")
    assert alguna.requests == []


def test_other_methods_are_not_allowed_in_each_format(manager: User) -> None:
    client = sign_in(manager)
    check_problem(client.put(BILLING, headers=JSON), 405, "method-not-allowed")
    for form in ({}, JSON, HTMX):
        for response in (client.put(BILLING, headers=form), client.delete(BILLING, headers=form)):
            assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, POST")
            assert_private(response)


def test_head_creates_no_session_in_each_format(alguna: FakeApi, manager: User, non_member: User) -> None:
    """Link checkers see whether the user has access."""
    for form in ({}, JSON, HTMX):
        response = sign_in(manager).head(BILLING, headers=form)
        assert (response.status_code, response.content) == (200, b"")
        assert "HX-Redirect" not in response
        assert sign_in(non_member).head(BILLING, headers=form).status_code == 403
    assert alguna.requests == []


def test_problems_have_the_texts_of_the_pages(
    alguna: FakeApi, manager: User, non_member: User, umbrella: Customer
) -> None:
    for page in get_all_pages(alguna, manager, non_member, umbrella):
        client = sign_in(page.wsgi_request.user)  # type: ignore[attr-defined]
        if page.status_code in (502, 503):
            alguna.fail(page.status_code if page.status_code == 503 else 404, '{"detail": "no"}')
            path = BILLING + f"?fresh=1&customer={manager.alguna_memberships.all()[0].customer_id}"
        else:
            path = BILLING
        document = client.get(path, headers=JSON).json()
        text = page.content.decode().replace("&#x27;", "'")
        assert document["title"] in text
        assert document["detail"] in text


def test_problems_are_translated(non_member: User, settings: Settings) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    response = sign_in(non_member).get(BILLING, headers=JSON | {"Accept-Language": "de"})
    with translation.override("de"):
        assert check_problem(response, 403, "no-access")["title"] == translation.gettext("You can't open billing")
    assert response["Content-Language"] == "de"


@pytest.mark.parametrize("method", ["get", "post"])
def test_htmx_redirects_to_the_portal(alguna: FakeApi, manager: User, method: str) -> None:
    """With a header, because an XMLHttpRequest would follow a redirect to another origin and fail."""
    response = getattr(sign_in(manager), method)(BILLING, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (200, alguna.url(1))
    assert_private(response)
    assert "Location" not in response
    assert response.content == b""


def test_the_htmx_header_overrides_accept(alguna: FakeApi, manager: User) -> None:
    """Only the value `true` counts."""
    client = sign_in(manager)
    assert client.get(BILLING, headers=HTMX | JSON)["HX-Redirect"] == alguna.url(1)
    assert client.get(BILLING, headers={"HX-Request": "false"})["Location"] == alguna.url(1)


def test_htmx_redirects_to_sign_in(alguna: FakeApi) -> None:
    response = Client().get(BILLING, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (401, "/login/?next=/billing/")
    assert_private(response)


def test_htmx_redirects_to_the_choices(alguna: FakeApi, manager: User, umbrella: Customer) -> None:
    """`fresh` is kept."""
    Membership.objects.create(user=manager, customer=umbrella)
    client = sign_in(manager)
    assert client.get(BILLING, headers=HTMX)["HX-Redirect"] == BILLING
    assert client.post(BILLING, {"fresh": "1"}, headers=HTMX)["HX-Redirect"] == BILLING + "?fresh=1"


def test_htmx_redirects_to_error_pages(alguna: FakeApi, manager: User, acme: Customer, non_member: User) -> None:
    """htmx doesn't swap in error responses."""
    response = sign_in(non_member).get(BILLING, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (403, BILLING)
    for failure, status in ((503, 503), (404, 502)):
        alguna.fail(failure, "{}")
        response = sign_in(manager).get(BILLING, headers=HTMX)
        assert (response.status_code, response["HX-Redirect"]) == (status, f"/billing/?customer={acme.pk}")
        assert_private(response)
