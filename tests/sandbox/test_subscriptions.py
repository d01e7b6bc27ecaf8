"""The starter records of new customers, and the list of subscriptions."""

from typing import Any

from tests.sandbox.conftest import EngineClient, get_json


def list_subscriptions(engine: EngineClient, **query: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = get_json(engine.request("GET", "/subscriptions", query=query))["data"]
    return data


def test_new_customer_has_an_active_subscription(engine: EngineClient) -> None:
    customer = engine.create_customer(currency="EUR")
    (subscription,) = list_subscriptions(engine)
    assert subscription["id"].startswith("sub_")
    assert subscription["customer_id"] == customer["id"]
    assert (subscription["name"], subscription["status"]) == ("Starter", "active")
    assert (subscription["plan_id"], subscription["currency"]) == ("plan_starter", "EUR")
    assert subscription["next_charge_on"] == "2026-05-01"


def test_new_customer_has_an_invoice_of_each_status(engine: EngineClient) -> None:
    engine.create_customer(currency="JPY")
    by_status = {invoice["status"]: invoice for invoice in engine.state["invoices"].values()}
    assert set(by_status) == {"paid", "issued", "overdue"}
    assert by_status["paid"]["due_on"] < by_status["overdue"]["due_on"] < "2026-04-01"
    assert by_status["issued"]["due_on"] > "2026-04-01"
    for invoice in by_status.values():
        assert invoice["currency"] == "JPY"
        assert invoice["total_cents"] == sum(line["quantity"] * line["unit_cents"] for line in invoice["lines"])
    assert len({invoice["number"] for invoice in by_status.values()}) == 3


def test_new_customer_has_a_valid_card_and_auto_pay(engine: EngineClient) -> None:
    customer = engine.create_customer()
    (card,) = customer["payment_methods"]
    assert (card["brand"], card["last4"], card["expires"]) == ("Visa", "4242", "12/2029")
    assert customer["auto_pay"] is True


def test_list_is_in_order_and_paginated(engine: EngineClient) -> None:
    first, second = engine.create_customer(), engine.create_customer()
    assert [entry["customer_id"] for entry in list_subscriptions(engine)] == [first["id"], second["id"]]
    assert [entry["customer_id"] for entry in list_subscriptions(engine, limit="1", offset="1")] == [second["id"]]
    assert list_subscriptions(engine, customer_id="nobody") == []
