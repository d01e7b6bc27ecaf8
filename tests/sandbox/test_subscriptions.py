"""What a new customer starts with, and its subscriptions over the API."""

from typing import Any

from tests.sandbox.conftest import Alguna, read


def found(alguna: Alguna, **query: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = read(alguna.ask("GET", "/subscriptions", query=query), status=200)["data"]
    return data


def test_a_new_customer_has_an_active_subscription(alguna: Alguna) -> None:
    """It is in the customer's currency and charged next in a month."""
    customer = alguna.customer(currency="EUR")
    (subscription,) = found(alguna)
    assert subscription["id"].startswith("sub_")
    assert subscription["customer_id"] == customer["id"]
    assert (subscription["name"], subscription["status"]) == ("Starter", "active")
    assert (subscription["plan_id"], subscription["currency"]) == ("plan_starter", "EUR")
    assert subscription["next_charge_on"] == "2026-05-01"


def test_a_new_customer_has_an_invoice_of_each_status(alguna: Alguna) -> None:
    """Only the overdue one and the paid one are past their day, and the lines add up."""
    alguna.customer(currency="JPY")
    by_status = {invoice["status"]: invoice for invoice in alguna.state["invoices"].values()}
    assert set(by_status) == {"paid", "issued", "overdue"}
    assert by_status["paid"]["due_on"] < by_status["overdue"]["due_on"] < "2026-04-01"
    assert by_status["issued"]["due_on"] > "2026-04-01"
    for invoice in by_status.values():
        assert invoice["currency"] == "JPY"
        assert invoice["total_cents"] == sum(line["quantity"] * line["unit_cents"] for line in invoice["lines"])
    assert len({invoice["number"] for invoice in by_status.values()}) == 3


def test_a_new_customer_has_a_card(alguna: Alguna) -> None:
    """The card is valid and auto-pay is on."""
    customer = alguna.customer()
    (method,) = customer["payment_methods"]
    assert (method["brand"], method["last4"], method["expires"]) == ("Visa", "4242", "12/2029")
    assert customer["auto_pay"] is True


def test_subscriptions_are_filtered_and_paged(alguna: Alguna) -> None:
    """By customer and status; who matches nothing gets an empty list."""
    first, second = alguna.customer(), alguna.customer()
    assert [entry["customer_id"] for entry in found(alguna)] == [first["id"], second["id"]]
    assert [entry["customer_id"] for entry in found(alguna, limit="1", offset="1")] == [second["id"]]
    (own,) = found(alguna, customer_id=second["id"], status="active")
    assert own["customer_id"] == second["id"]
    assert found(alguna, customer_id=second["id"], status="canceled") == []
    assert found(alguna, customer_id="nobody") == []
    read(alguna.ask("GET", "/subscriptions", query={"limit": "101"}), status=422)
