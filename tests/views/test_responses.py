"""Billing in four forms: a redirect for browsers, JSON for scripts, headers for htmx, and no script needed for any."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from alguna_portal.models import Customer, Membership, PortalLink
from tests.conftest import Alguna
from tests.support.clients import BILLING, assert_private, sign_in
from tests.views.test_billing import every_page

JSON = {"Accept": "application/json"}
HTMX = {"HX-Request": "true"}
KIND = "urn:problem-type:alguna-portal:"
CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


def problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    """Check what every problem document has, and return the document."""
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
def test_a_script_gets_the_url_and_when_it_ends(alguna: Alguna, manager: User, method: str) -> None:
    """200, with `url` and `expires_at`, which is a time with its zone; and no redirect that it would have to stop."""
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
def test_the_accept_header_says_which_form_it_is(alguna: Alguna, manager: User, accept: str, form: str) -> None:
    """Browsers, curl and what nobody can read get the page; `fetch` with JSON, and axios as it is, get JSON."""
    response = sign_in(manager).get(BILLING, headers={"Accept": accept})
    assert (response.status_code, response["Vary"]) == ({"page": 302, "json": 200}[form], "Accept, HX-Request, Cookie")


def test_nobody_signed_in_is_told_where_to_and_not_sent_there(alguna: Alguna) -> None:
    """401 with the way to sign in and back, where a script would have followed a redirect to a page of HTML."""
    response = Client().get(BILLING + "?customer=3", headers=JSON)
    document = problem(response, 401, "login-required")
    assert document["login_url"] == "/login/?next=/billing/%3Fcustomer%3D3"
    assert response["WWW-Authenticate"].startswith("Cookie ")
    assert alguna.requests == []


def test_a_login_required_middleware_takes_neither_answer_from_us(
    alguna: Alguna, link: PortalLink, settings: Settings, mailoutbox: list[Any]
) -> None:
    """Django's own would redirect scripts to a page, and people with a mailed link to an account that they lack."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    problem(Client().get(BILLING, headers=JSON), 401, "login-required")
    assert Client().get(BILLING)["Location"] == "/login/?next=/billing/"
    (mail,) = mailoutbox
    (url,) = [line for line in mail.body.splitlines() if line.startswith("https://app.example.com")]
    path = url.removeprefix("https://app.example.com")
    assert Client().get(path).status_code == 200
    assert alguna.url(1) in Client().post(path)["Refresh"]


def test_a_script_of_somebody_without_a_company_is_refused(alguna: Alguna, stranger: User) -> None:
    """403, for a choice that is not theirs too."""
    client = sign_in(stranger)
    problem(client.get(BILLING, headers=JSON), 403, "no-access")
    problem(client.get(BILLING + "?customer=1", headers=JSON), 403, "no-access")
    assert alguna.requests == []


def test_a_script_of_somebody_with_two_companies_gets_the_choices(
    alguna: Alguna, manager: User, acme: Customer, umbrella: Customer
) -> None:
    """409, with a name, the role and an address for each, which opens it; `fresh` survives."""
    Membership.objects.create(user=manager, customer=umbrella, role="viewer")
    client = sign_in(manager)
    choices = problem(client.get(BILLING, headers=JSON), 409, "choose")["choices"]
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


def test_a_script_is_told_when_an_outage_may_be_over(alguna: Alguna, manager: User, acme: Customer) -> None:
    """503, with the seconds to wait as header and member, and the address to try again."""
    alguna.fail(503, Retry_After="7")
    client = sign_in(manager)
    response = client.get(BILLING + "?fresh=1", headers=JSON)
    document = problem(response, 503, "unavailable")
    assert (document["retry_after"], response["Retry-After"]) == (7, "7")
    assert document["url"] == f"/billing/?customer={acme.pk}&fresh=1"
    assert client.get(document["url"], headers=JSON).status_code == 200


@pytest.mark.parametrize("debug", [True, False])
def test_a_script_is_told_that_trying_again_is_no_use(
    alguna: Alguna, manager: User, settings: Settings, *, debug: bool
) -> None:
    """502; and the reason is for developers alone, as on the page."""
    settings.DEBUG = debug
    alguna.fail(401, '{"detail": "so there"}')
    document = problem(sign_in(manager).get(BILLING, headers=JSON), 502, "failed")
    assert ("so there" in document.get("reason", "")) is debug


@pytest.mark.parametrize(
    "headers", [{"Sec-Purpose": "prefetch"}, {"X-Sec-Purpose": "prefetch"}, {"HX-Preloaded": "true"}]
)
def test_asking_ahead_of_a_click_opens_nothing_in_any_form(
    alguna: Alguna, manager: User, headers: dict[str, str]
) -> None:
    """By browsers, by Turbo, by htmx's preload extension."""
    client = sign_in(manager)
    for form in ({}, JSON, HTMX):
        assert client.get(BILLING, headers=headers | form).status_code == 403
    problem(client.get(BILLING, headers=headers | JSON), 403, "prefetch")
    assert alguna.requests == []


def test_other_methods_are_refused_in_every_form(manager: User) -> None:
    """405, with those that are allowed."""
    client = sign_in(manager)
    problem(client.put(BILLING, headers=JSON), 405, "method-not-allowed")
    for form in ({}, JSON, HTMX):
        response = client.delete(BILLING, headers=form)
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, POST")


def test_asking_for_the_head_opens_nothing_in_any_form(alguna: Alguna, manager: User) -> None:
    """Whatever the form."""
    for form in ({}, JSON, HTMX):
        response = sign_in(manager).head(BILLING, headers=form)
        assert (response.status_code, response.content) == (200, b"")
        assert "HX-Redirect" not in response
    assert alguna.requests == []


def test_a_problem_speaks_as_its_page_does(alguna: Alguna, manager: User, stranger: User, umbrella: Customer) -> None:
    """Title and detail are the texts of the page, so nothing is said, or translated, twice."""
    for page in every_page(alguna, manager, stranger, umbrella):
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


def test_a_problem_speaks_the_readers_language(stranger: User, settings: Settings) -> None:
    """As the page does; its type stays as it is."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    response = sign_in(stranger).get(BILLING, headers=JSON | {"Accept-Language": "de"})
    with translation.override("de"):
        assert problem(response, 403, "no-access")["title"] == translation.gettext("You can't open billing")
    assert response["Content-Language"] == "de"


@pytest.mark.parametrize("method", ["get", "post"])
def test_htmx_goes_to_the_portal_with_the_whole_page(alguna: Alguna, manager: User, method: str) -> None:
    """A header, since an XMLHttpRequest would follow a redirect by itself, into another origin, and fail."""
    response = getattr(sign_in(manager), method)(BILLING, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (200, alguna.url(1))
    assert_private(response)
    assert "Location" not in response
    assert response.content == b""


def test_htmx_asks_in_its_own_form_whatever_it_accepts(alguna: Alguna, manager: User) -> None:
    """Some extensions have it accept JSON; only `true` says that it asks."""
    client = sign_in(manager)
    assert client.get(BILLING, headers=HTMX | JSON)["HX-Redirect"] == alguna.url(1)
    assert client.get(BILLING, headers={"HX-Request": "false"})["Location"] == alguna.url(1)


def test_htmx_leads_the_whole_page_to_sign_in(alguna: Alguna) -> None:
    """A sign-in page must not stand where the button was."""
    response = Client().get(BILLING, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (401, "/login/?next=/billing/")
    assert_private(response)


def test_htmx_leads_the_whole_page_to_the_chooser(alguna: Alguna, manager: User, umbrella: Customer) -> None:
    """And `fresh` with it."""
    Membership.objects.create(user=manager, customer=umbrella)
    client = sign_in(manager)
    assert client.get(BILLING, headers=HTMX)["HX-Redirect"] == BILLING
    assert client.post(BILLING, {"fresh": "1"}, headers=HTMX)["HX-Redirect"] == BILLING + "?fresh=1"


def test_htmx_leads_the_whole_page_to_the_one_that_helps(
    alguna: Alguna, manager: User, acme: Customer, stranger: User
) -> None:
    """With the right status; htmx swaps no errors, and without the header nothing would be seen to happen."""
    response = sign_in(stranger).get(BILLING, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (403, BILLING)
    for failure, status in ((503, 503), (404, 502)):
        alguna.fail(failure, "{}")
        response = sign_in(manager).get(BILLING, headers=HTMX)
        assert (response.status_code, response["HX-Redirect"]) == (status, f"/billing/?customer={acme.pk}")
        assert_private(response)
