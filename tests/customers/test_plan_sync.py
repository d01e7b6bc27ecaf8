"""Plans follow Alguna's subscriptions: whatever an event says, whenever it comes, and however many come at once."""

import json
from itertools import permutations
from time import sleep
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from django.contrib.auth.models import User
from pytest_django import Settings

from alguna_portal.api.client import AlgunaClient
from alguna_portal.api.responses import Subscription
from alguna_portal.customers import plan_sync
from alguna_portal.customers.plan_sync import (
    Synced,
    fetch_plan,
    get_plan_from_subscriptions,
    next_sequence,
    store_plan,
    sync_plan,
)
from alguna_portal.exceptions import AlgunaUnavailable, CustomerMismatch, UnexpectedResponse
from alguna_portal.models import Customer, WebhookDelivery
from alguna_portal.sessions import open_session
from tests.conftest import API, Alguna
from tests.support.webhooks import SECRET, message, tell

pytestmark = pytest.mark.django_db


class Books:
    """Alguna's books: who subscribed to what, and by which aliases it knows them."""

    def __init__(self, http: responses.RequestsMock) -> None:
        self.subscriptions: list[dict[str, Any]] = []
        self.aliases: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.status = 200
        self.customer_id = "cust_1"
        http.add_callback("GET", f"{API}/subscriptions", callback=self._list)
        http.add_callback("GET", f"{API}/customers/lookup", callback=self._look_up)
        http.add_callback("GET", f"{API}/customers/cust_1", callback=self._customer)

    def have(self, *plans: tuple[str, str | None], customer_id: str = "cust_1") -> None:
        """Replace what a customer subscribed to: states and plan ids."""
        self.subscriptions = [
            {"id": f"sub_{number}", "customer_id": customer_id, "name": "Plan", "status": status, "plan_id": plan_id}
            for number, (status, plan_id) in enumerate(plans)
        ]

    def _list(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        query = parse_qs(urlsplit(str(request.url)).query)
        self.asked.append(query["customer_id"][0])
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        page = self.subscriptions[offset : offset + limit]
        pagination = {"per_page": limit, "total_pages": 1}
        return self.status, {}, json.dumps({"data": page, "pagination": pagination, "detail": "no"})

    def _look_up(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        alias = parse_qs(urlsplit(str(request.url)).query)["alias"][0]
        found = next((customer_id for customer_id, aliases in self.aliases.items() if alias in aliases), None)
        return (200, {}, json.dumps({"customer_id": found})) if found else (404, {}, '{"detail": "no"}')

    def _customer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        if "cust_1" not in self.aliases:
            return 404, {}, '{"detail": "no"}'
        return 200, {}, json.dumps({"id": self.customer_id, "aliases": self.aliases["cust_1"]})


@pytest.fixture
def books(alguna: Alguna, settings: Settings) -> Books:
    """Alguna's books, and three of its plans mapped."""
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET]
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_e": "enterprise", "plan_g": "growth", "plan_s": "starter"}
    return Books(alguna.http)


@pytest.fixture
def acme(acme: Customer) -> Customer:
    """Acme, known to Alguna, on the starter plan."""
    acme.customer_id = "cust_1"
    acme.save()
    return acme


def plan_of(customer: Customer) -> tuple[str, str]:
    """Return the plan that the database has, and Alguna's id of it."""
    customer.refresh_from_db()
    return customer.plan, customer.plan_id


def subscribed(*plans: tuple[str, str]) -> list[Subscription]:
    """Make subscriptions."""
    return [Subscription(customer_id="cust_1", status=status, plan_id=plan_id) for status, plan_id in plans]


@pytest.mark.parametrize(
    ("subscriptions", "plan", "plan_id"),
    [
        ([], None, ""),
        ([("draft", "plan_e")], None, ""),
        ([("active", "plan_g")], "growth", "plan_g"),
        ([("active", "plan_g"), ("canceled", "plan_e"), ("draft", "plan_e")], "growth", "plan_g"),
        ([("canceled", "plan_e")], "", ""),
        ([("canceled", "plan_e"), ("draft", "plan_g")], "", ""),
        # Nobody has heard of these.
        ([("paused", "plan_e")], None, ""),
        ([("canceled", "plan_e"), ("trialing", "plan_g")], None, ""),
        # Several: the first in PLAN_IDS counts, and an add-on that is not mapped is no matter.
        ([("active", "plan_s"), ("active", "plan_e"), ("active", "addon")], "enterprise", "plan_e"),
        ([("active", "unheard"), ("active", "")], None, "unheard"),
        ([("active", "b"), ("active", "a")], None, "a"),
        ([("active", "")], None, ""),
    ],
)
def test_a_plan_follows_from_the_subscriptions_in_any_order(
    books: Books, subscriptions: list[tuple[str, str]], plan: str | None, plan_id: str
) -> None:
    """Active, over, not begun, several, unheard of."""
    for order in permutations(subscriptions):
        learned = get_plan_from_subscriptions(subscribed(*order))
        assert (learned.plan, learned.plan_id) == (plan, plan_id)


def test_a_plan_is_set_from_what_alguna_has_now(books: Books, acme: Customer) -> None:
    """On the object at hand, too; and what came of it is said."""
    books.have(("active", "plan_e"))
    assert sync_plan(acme) is Synced.CHANGED
    assert (acme.plan, acme.plan_id) == plan_of(acme) == ("enterprise", "plan_e")
    assert acme.plan_synced_at is not None
    assert sync_plan(acme) is Synced.SAME
    books.have(("canceled", "plan_e"))
    assert sync_plan(acme) is Synced.CHANGED
    assert plan_of(acme) == ("", "")
    books.have()
    assert sync_plan(acme) is Synced.NOTHING


def test_a_customer_whose_id_is_not_known_is_asked_for_by_alias(books: Books, umbrella: Customer) -> None:
    """And one that Alguna does not know keeps its plan."""
    assert sync_plan(umbrella) is Synced.NOTHING
    books.aliases = {"cust_9": [umbrella.alias]}
    books.have(("active", "plan_g"), customer_id="cust_9")
    assert sync_plan(umbrella) is Synced.CHANGED
    assert (plan_of(umbrella), books.asked) == (("growth", "plan_g"), ["cust_9"])


def test_all_pages_are_read(books: Books, acme: Customer) -> None:
    """The plan may be on the last."""
    books.have(*[("canceled", "plan_e")] * 200, ("active", "plan_g"))
    assert sync_plan(acme) is Synced.CHANGED
    assert len(books.asked) == 3


def test_a_list_without_an_end_is_no_answer(books: Books, acme: Customer) -> None:
    """And the plan is left."""
    books.have(*[("active", "plan_e")] * 2000)
    with pytest.raises(UnexpectedResponse, match="more than 2000"):
        sync_plan(acme)
    assert plan_of(acme) == ("starter", "")


def test_subscriptions_of_a_stranger_are_not_believed(books: Books, acme: Customer) -> None:
    """Not even one among others."""
    books.have(("active", "plan_e"))
    books.subscriptions[0]["customer_id"] = "cust_2"
    with pytest.raises(CustomerMismatch):
        sync_plan(acme)


@pytest.mark.parametrize("listed", [None, {}, "x", [1], [{}], [{"customer_id": "cust_1", "status": 1}]])
def test_a_list_that_is_none_is_no_answer(alguna: Alguna, acme: Customer, listed: Any, settings: Settings) -> None:
    """An error that says so, and the plan is left."""
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_e": "enterprise"}
    alguna.http.add("GET", f"{API}/subscriptions", json={"data": listed})
    with pytest.raises(UnexpectedResponse):
        sync_plan(acme)


@pytest.mark.parametrize("kind", ["activated", "updated", "version.updated", "canceled", "unheard.of"])
def test_an_event_of_a_subscription_has_alguna_asked(books: Books, acme: Customer, kind: str) -> None:
    """What the event itself says of it is not believed."""
    books.have(("active", "plan_e"))
    assert tell(message(f"subscription.{kind}", accountId="cust_1", status="canceled", planId="plan_g")) == 204
    assert plan_of(acme) == ("enterprise", "plan_e")


def test_other_events_ask_nothing(books: Books, acme: Customer) -> None:
    """Nor those of a subscription that name no customer, or where no plans are mapped."""
    tell(message("invoice.paid", accountId="cust_1"))
    tell(message("subscription.updated"))
    assert books.asked == []


def test_without_mapped_plans_nothing_is_asked(books: Books, acme: Customer, settings: Settings) -> None:
    """The host keeps plans itself."""
    settings.ALGUNA_PORTAL_PLAN_IDS = {}
    assert tell(message("subscription.updated", accountId="cust_1")) == 204
    assert books.asked == []


def test_a_customer_is_found_by_its_alias_where_the_id_is_not_known(books: Books, umbrella: Customer) -> None:
    """Alguna says which aliases the id has; the id is kept."""
    books.aliases = {"cust_1": ["other", umbrella.alias]}
    books.have(("active", "plan_g"))
    assert tell(message("subscription.updated", accountId="cust_1")) == 204
    assert plan_of(umbrella) == ("growth", "plan_g")
    assert umbrella.customer_id == "cust_1"


def test_a_customer_of_alguna_that_is_none_here_is_no_error(books: Books, acme: Customer, umbrella: Customer) -> None:
    """Unknown to Alguna by now, without aliases of ours, or with those of two customers."""
    Customer.objects.filter(pk=acme.pk).update(customer_id=None)
    for aliases in ({}, {"cust_1": ["unheard", "ACME-1"]}, {"cust_1": [acme.alias, umbrella.alias]}):
        books.aliases = aliases
        assert tell(message("subscription.updated", accountId="cust_1")) == 204
    assert books.asked == []
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"handled"}


def test_a_plan_that_is_not_mapped_is_left_and_told(
    books: Books, acme: Customer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Alguna need not send it again; once the plan is mapped, handling the message again sets it."""
    books.have(("active", "plan_new"))
    assert tell(message("subscription.updated", accountId="cust_1"), ident="m") == 204
    assert plan_of(acme) == ("starter", "plan_new")
    assert WebhookDelivery.objects.get().state == "unmapped"
    (record,) = [each for each in caplog.records if getattr(each, "event", "") == "plan_not_mapped"]
    assert "'plan_new' is not in ALGUNA_PORTAL_PLAN_IDS" in record.getMessage()
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_new": "growth"}
    assert tell(message("subscription.updated", accountId="cust_1"), ident="m") == 204
    assert plan_of(acme) == ("growth", "plan_new")
    assert WebhookDelivery.objects.get().state == "handled"


def test_an_outage_has_the_message_come_again(books: Books, acme: Customer) -> None:
    """The plan is left until then."""
    books.have(("active", "plan_e"))
    books.status = 503
    assert tell(message("subscription.updated", accountId="cust_1"), ident="m") == 503
    assert plan_of(acme) == ("starter", "")
    books.status = 200
    assert tell(message("subscription.updated", accountId="cust_1"), ident="m") == 204
    assert plan_of(acme) == ("enterprise", "plan_e")


def test_a_customer_that_is_deleted_meanwhile_is_no_reason_to_try_for_ever(
    books: Books, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message comes again once, and then finds nobody."""
    ask = plan_sync.fetch_plan

    def delete(*args: Any, **more: Any) -> Any:
        Customer.objects.all().delete()
        return ask(*args, **more)

    monkeypatch.setattr(plan_sync, "fetch_plan", delete)
    books.have(("active", "plan_e"))
    assert tell(message("subscription.updated", accountId="cust_1"), ident="m") == 503
    monkeypatch.undo()
    assert tell(message("subscription.updated", accountId="cust_1"), ident="m") == 204


def test_a_customer_that_alguna_has_deleted_keeps_its_plan(books: Books, acme: Customer) -> None:
    """What it should be is for nobody there to say."""
    books.status = 404
    assert sync_plan(acme) is Synced.NOTHING
    assert plan_of(acme) == ("starter", "")


def test_a_stranger_is_not_adopted(books: Books, umbrella: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked about one customer, Alguna answers with another one's aliases; or the id is none that a path could hold."""
    books.aliases = {"cust_1": [umbrella.alias]}
    books.customer_id = "cust_2"
    assert tell(message("subscription.updated", accountId="cust_1")) == 503
    for odd in ("..", "cust_1/../cust_2", "a b", "é"):
        assert tell(message("subscription.updated", accountId=odd)) == 204
    umbrella.refresh_from_db()
    assert umbrella.customer_id is None


def test_all_calls_for_an_event_share_one_budget(
    books: Books, umbrella: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alguna waits for its answer no longer than 15 seconds."""
    given: list[float] = []
    call = AlgunaClient._call

    def slow(self: AlgunaClient, *args: Any, within: float, **more: Any) -> Any:
        given.append(within)
        sleep(0.05)
        return call(self, *args, within=within, **more)

    monkeypatch.setattr(AlgunaClient, "_call", slow)
    books.aliases = {"cust_1": [umbrella.alias]}
    books.have(("active", "plan_g"))
    assert tell(message("subscription.updated", accountId="cust_1")) == 204
    assert len(given) == 2
    assert given[1] < given[0] - 0.04


def test_who_asked_later_knows_better(books: Books, acme: Customer) -> None:
    """Two ask at the same time; in whatever order they store what they learned, the later one's stays."""
    client = AlgunaClient.from_settings()
    for later_first in (True, False):
        first = next_sequence(acme)
        books.have(("active", "plan_s"))
        old = fetch_plan(acme, client)
        second = next_sequence(acme)
        books.have(("active", "plan_e"))
        new = fetch_plan(acme, client)
        steps = [(old, first), (new, second)]
        said = [
            store_plan(acme, learned, sequence=number) for learned, number in (reversed(steps) if later_first else steps)
        ]
        assert plan_of(acme) == ("enterprise", "plan_e")
        assert (Synced.OVERTAKEN in said) is later_first


def test_a_number_is_given_once(acme: Customer) -> None:
    """And each is higher than those before."""
    numbers = [next_sequence(acme) for _ in range(5)]
    assert numbers == sorted(set(numbers))


def test_an_old_plans_sessions_are_out_of_reach_from_that_moment(
    books: Books, alguna: Alguna, acme: Customer, manager: User
) -> None:
    """Nothing is forgotten: what a session may do is part of where it is kept. Back on the plan, it is found again."""
    alguna.customer_id = "cust_1"
    first = open_session(acme, user=manager)
    books.have(("active", "plan_e"))
    tell(message("subscription.updated", accountId="cust_1"))
    acme.refresh_from_db()
    second = open_session(acme, user=manager)
    assert (first.url, second.url) == (alguna.url(1), alguna.url(2))
    assert alguna.bodies[1]["plan_overview_settings"] == {"allow_subscription_cancel": False}
    books.have(("active", "plan_s"))
    tell(message("subscription.updated", accountId="cust_1"))
    acme.refresh_from_db()
    assert open_session(acme, user=manager).url == alguna.url(1)


def test_an_outage_while_all_subscriptions_are_asked_for_is_one(books: Books, acme: Customer) -> None:
    """Code that syncs hears of it."""
    books.status = 503
    with pytest.raises(AlgunaUnavailable):
        sync_plan(acme)


def test_a_customer_with_an_unusual_id_is_found_where_it_is_known(acme: Customer) -> None:
    """Only what Alguna is asked about has to fit into a path."""
    Customer.objects.filter(pk=acme.pk).update(customer_id="cust 1/é")
    found = plan_sync.match_customer("cust 1/é")
    assert found == acme
    assert plan_sync.match_customer("cust 2/é") is None
