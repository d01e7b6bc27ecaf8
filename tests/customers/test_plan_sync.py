"""Plan synchronization: the plan that follows from subscriptions, by events and by code."""

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
from tests.conftest import API, FakeApi
from tests.support.webhooks import SECRET, create_message, post_message

pytestmark = pytest.mark.django_db


class AlgunaRecords:
    """Subscriptions and aliases in Alguna, served at the edge of `requests`."""

    def __init__(self, http: responses.RequestsMock) -> None:
        self.subscriptions: list[dict[str, Any]] = []
        self.aliases: dict[str, list[str]] = {}
        self.requested: list[str] = []
        self.status = 200
        self.customer_id = "cust_1"
        http.add_callback("GET", f"{API}/subscriptions", callback=self._list)
        http.add_callback("GET", f"{API}/customers/lookup", callback=self._look_up)
        http.add_callback("GET", f"{API}/customers/cust_1", callback=self._customer)

    def set_subscriptions(self, *plans: tuple[str, str | None], customer_id: str = "cust_1") -> None:
        """Replace a customer's subscriptions, seconds as statuses and plan ids."""
        self.subscriptions = [
            {"id": f"sub_{number}", "customer_id": customer_id, "name": "Plan", "status": status, "plan_id": plan_id}
            for number, (status, plan_id) in enumerate(plans)
        ]

    def _list(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        query = parse_qs(urlsplit(str(request.url)).query)
        self.requested.append(query["customer_id"][0])
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
def records(alguna: FakeApi, settings: Settings) -> AlgunaRecords:
    """Records in Alguna; three of its plans are in `PLAN_IDS`."""
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET]
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_e": "enterprise", "plan_g": "growth", "plan_s": "starter"}
    return AlgunaRecords(alguna.http)


@pytest.fixture
def acme(acme: Customer) -> Customer:
    """A customer with an id, on the starter plan."""
    acme.customer_id = "cust_1"
    acme.save()
    return acme


def get_plan(customer: Customer) -> tuple[str, str]:
    """Return the stored plan and plan id."""
    customer.refresh_from_db()
    return customer.plan, customer.plan_id


def create_subscriptions(*plans: tuple[str, str]) -> list[Subscription]:
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
        # Undocumented statuses.
        ([("paused", "plan_e")], None, ""),
        ([("canceled", "plan_e"), ("trialing", "plan_g")], None, ""),
        # Of several, the first in PLAN_IDS counts. Add-ons that aren't in PLAN_IDS are ignored.
        ([("active", "plan_s"), ("active", "plan_e"), ("active", "addon")], "enterprise", "plan_e"),
        ([("active", "unheard"), ("active", "")], None, "unheard"),
        ([("active", "b"), ("active", "a")], None, "a"),
        ([("active", "")], None, ""),
    ],
)
def test_plan_from_subscriptions_in_any_order(
    records: AlgunaRecords, subscriptions: list[tuple[str, str]], plan: str | None, plan_id: str
) -> None:
    for order in permutations(subscriptions):
        fetched = get_plan_from_subscriptions(create_subscriptions(*order))
        assert (fetched.plan, fetched.plan_id) == (plan, plan_id)


def test_a_plan_is_stored_in_the_row_and_on_the_object(records: AlgunaRecords, acme: Customer) -> None:
    records.set_subscriptions(("active", "plan_e"))
    assert sync_plan(acme) is Synced.CHANGED
    assert (acme.plan, acme.plan_id) == get_plan(acme) == ("enterprise", "plan_e")
    assert acme.plan_synced_at is not None
    assert sync_plan(acme) is Synced.SAME
    records.set_subscriptions(("canceled", "plan_e"))
    assert sync_plan(acme) is Synced.CHANGED
    assert get_plan(acme) == ("", "")
    records.set_subscriptions()
    assert sync_plan(acme) is Synced.NOTHING


def test_a_customer_without_an_id_is_looked_up_by_alias(records: AlgunaRecords, umbrella: Customer) -> None:
    assert sync_plan(umbrella) is Synced.NOTHING
    records.aliases = {"cust_9": [umbrella.alias]}
    records.set_subscriptions(("active", "plan_g"), customer_id="cust_9")
    assert sync_plan(umbrella) is Synced.CHANGED
    assert (get_plan(umbrella), records.requested) == (("growth", "plan_g"), ["cust_9"])


def test_all_pages_are_read(records: AlgunaRecords, acme: Customer) -> None:
    records.set_subscriptions(*[("canceled", "plan_e")] * 200, ("active", "plan_g"))
    assert sync_plan(acme) is Synced.CHANGED
    assert len(records.requested) == 3


def test_an_endless_list_is_an_error(records: AlgunaRecords, acme: Customer) -> None:
    records.set_subscriptions(*[("active", "plan_e")] * 2000)
    with pytest.raises(UnexpectedResponse, match="more than 2000"):
        sync_plan(acme)
    assert get_plan(acme) == ("starter", "")


def test_subscriptions_of_another_customer_are_an_error(records: AlgunaRecords, acme: Customer) -> None:
    records.set_subscriptions(("active", "plan_e"))
    records.subscriptions[0]["customer_id"] = "cust_2"
    with pytest.raises(CustomerMismatch):
        sync_plan(acme)


@pytest.mark.parametrize("listed", [None, {}, "x", [1], [{}], [{"customer_id": "cust_1", "status": 1}]])
def test_an_invalid_list_is_an_error(alguna: FakeApi, acme: Customer, listed: Any, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_e": "enterprise"}
    alguna.http.add("GET", f"{API}/subscriptions", json={"data": listed})
    with pytest.raises(UnexpectedResponse):
        sync_plan(acme)


@pytest.mark.parametrize("kind", ["activated", "updated", "version.updated", "canceled", "unheard.of"])
def test_a_subscription_event_fetches_the_current_plan(records: AlgunaRecords, acme: Customer, kind: str) -> None:
    """The event's own data aren't used."""
    records.set_subscriptions(("active", "plan_e"))
    assert (
        post_message(create_message(f"subscription.{kind}", accountId="cust_1", status="canceled", planId="plan_g"))
        == 204
    )
    assert get_plan(acme) == ("enterprise", "plan_e")


def test_other_events_make_no_api_call(records: AlgunaRecords, acme: Customer) -> None:
    post_message(create_message("invoice.paid", accountId="cust_1"))
    post_message(create_message("subscription.updated"))
    assert records.requested == []


def test_without_plan_ids_events_make_no_api_call(records: AlgunaRecords, acme: Customer, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_PLAN_IDS = {}
    assert post_message(create_message("subscription.updated", accountId="cust_1")) == 204
    assert records.requested == []


def test_an_events_customer_is_matched_by_alias(records: AlgunaRecords, umbrella: Customer) -> None:
    records.aliases = {"cust_1": ["other", umbrella.alias]}
    records.set_subscriptions(("active", "plan_g"))
    assert post_message(create_message("subscription.updated", accountId="cust_1")) == 204
    assert get_plan(umbrella) == ("growth", "plan_g")
    assert umbrella.customer_id == "cust_1"


def test_events_of_unmatched_customers_are_handled(records: AlgunaRecords, acme: Customer, umbrella: Customer) -> None:
    """Unknown to Alguna, without a local alias, or with the aliases of two customers."""
    Customer.objects.filter(pk=acme.pk).update(customer_id=None)
    for aliases in ({}, {"cust_1": ["unheard", "ACME-1"]}, {"cust_1": [acme.alias, umbrella.alias]}):
        records.aliases = aliases
        assert post_message(create_message("subscription.updated", accountId="cust_1")) == 204
    assert records.requested == []
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"handled"}


def test_an_unmapped_plan_is_logged_and_can_be_handled_again(
    records: AlgunaRecords, acme: Customer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    records.set_subscriptions(("active", "plan_new"))
    assert post_message(create_message("subscription.updated", accountId="cust_1"), ident="m") == 204
    assert get_plan(acme) == ("starter", "plan_new")
    assert WebhookDelivery.objects.get().state == "unmapped"
    (record,) = [each for each in caplog.records if getattr(each, "event", "") == "plan_not_mapped"]
    assert "'plan_new' is not in ALGUNA_PORTAL_PLAN_IDS" in record.getMessage()
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_new": "growth"}
    assert post_message(create_message("subscription.updated", accountId="cust_1"), ident="m") == 204
    assert get_plan(acme) == ("growth", "plan_new")
    assert WebhookDelivery.objects.get().state == "handled"


def test_in_an_outage_the_event_is_sent_again(records: AlgunaRecords, acme: Customer) -> None:
    records.set_subscriptions(("active", "plan_e"))
    records.status = 503
    assert post_message(create_message("subscription.updated", accountId="cust_1"), ident="m") == 503
    assert get_plan(acme) == ("starter", "")
    records.status = 200
    assert post_message(create_message("subscription.updated", accountId="cust_1"), ident="m") == 204
    assert get_plan(acme) == ("enterprise", "plan_e")


def test_an_event_of_a_customer_deleted_meanwhile_is_sent_again_once(
    records: AlgunaRecords, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = plan_sync.fetch_plan

    def delete(*args: Any, **more: Any) -> Any:
        Customer.objects.all().delete()
        return fetch(*args, **more)

    monkeypatch.setattr(plan_sync, "fetch_plan", delete)
    records.set_subscriptions(("active", "plan_e"))
    assert post_message(create_message("subscription.updated", accountId="cust_1"), ident="m") == 503
    monkeypatch.undo()
    assert post_message(create_message("subscription.updated", accountId="cust_1"), ident="m") == 204


def test_a_customer_that_alguna_has_deleted_keeps_its_plan(records: AlgunaRecords, acme: Customer) -> None:
    records.status = 404
    assert sync_plan(acme) is Synced.NOTHING
    assert get_plan(acme) == ("starter", "")


def test_another_customers_aliases_are_not_matched(
    records: AlgunaRecords, umbrella: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is an id that can't be part of a path."""
    records.aliases = {"cust_1": [umbrella.alias]}
    records.customer_id = "cust_2"
    assert post_message(create_message("subscription.updated", accountId="cust_1")) == 503
    for odd in ("..", "cust_1/../cust_2", "a b", "é"):
        assert post_message(create_message("subscription.updated", accountId=odd)) == 204
    umbrella.refresh_from_db()
    assert umbrella.customer_id is None


def test_all_calls_of_an_event_share_one_budget(
    records: AlgunaRecords, umbrella: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alguna waits for a webhook's response for 15 seconds."""
    seconds: list[float] = []
    call = AlgunaClient._call

    def slow(self: AlgunaClient, *args: Any, within: float, **more: Any) -> Any:
        seconds.append(within)
        sleep(0.05)
        return call(self, *args, within=within, **more)

    monkeypatch.setattr(AlgunaClient, "_call", slow)
    records.aliases = {"cust_1": [umbrella.alias]}
    records.set_subscriptions(("active", "plan_g"))
    assert post_message(create_message("subscription.updated", accountId="cust_1")) == 204
    assert len(seconds) == 2
    assert seconds[1] < seconds[0] - 0.04


def test_the_result_with_the_highest_sequence_number_stays(records: AlgunaRecords, acme: Customer) -> None:
    client = AlgunaClient.from_settings()
    for later_first in (True, False):
        first = next_sequence(acme)
        records.set_subscriptions(("active", "plan_s"))
        old = fetch_plan(acme, client)
        second = next_sequence(acme)
        records.set_subscriptions(("active", "plan_e"))
        new = fetch_plan(acme, client)
        steps = [(old, first), (new, second)]
        results = [
            store_plan(acme, fetched, sequence=number)
            for fetched, number in (reversed(steps) if later_first else steps)
        ]
        assert get_plan(acme) == ("enterprise", "plan_e")
        assert (Synced.OVERTAKEN in results) is later_first


def test_sequence_numbers_are_unique_and_ascending(acme: Customer) -> None:
    numbers = [next_sequence(acme) for _ in range(5)]
    assert numbers == sorted(set(numbers))


def test_a_changed_plan_has_separate_sessions(
    records: AlgunaRecords, alguna: FakeApi, acme: Customer, manager: User
) -> None:
    alguna.customer_id = "cust_1"
    first = open_session(acme, user=manager)
    records.set_subscriptions(("active", "plan_e"))
    post_message(create_message("subscription.updated", accountId="cust_1"))
    acme.refresh_from_db()
    second = open_session(acme, user=manager)
    assert (first.url, second.url) == (alguna.url(1), alguna.url(2))
    assert alguna.bodies[1]["plan_overview_settings"] == {"allow_subscription_cancel": False}
    records.set_subscriptions(("active", "plan_s"))
    post_message(create_message("subscription.updated", accountId="cust_1"))
    acme.refresh_from_db()
    assert open_session(acme, user=manager).url == alguna.url(1)


def test_an_outage_raises_an_exception(records: AlgunaRecords, acme: Customer) -> None:
    records.status = 503
    with pytest.raises(AlgunaUnavailable):
        sync_plan(acme)


def test_a_stored_id_may_have_characters_that_a_path_can_not_have(acme: Customer) -> None:
    Customer.objects.filter(pk=acme.pk).update(customer_id="cust 1/é")
    found = plan_sync.match_customer("cust 1/é")
    assert found == acme
    assert plan_sync.match_customer("cust 2/é") is None
