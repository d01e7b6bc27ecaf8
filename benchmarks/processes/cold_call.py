"""Measures calls for a new portal session with our client, the official SDK and urllib3 alone, alternately."""

import json
from collections.abc import Callable
from time import perf_counter, process_time
from uuid import uuid4

import urllib3
from alguna import Alguna, BillingDetailsSettingsRequest, PlanOverviewSettingsRequest

from alguna_portal.api.client import AlgunaClient
from alguna_portal.portal_settings import PortalSettings
from benchmarks.settings import ALGUNA_PORTAL_API_KEY, ALGUNA_PORTAL_API_URL, PARAMETERS

PLAN = {"allow_self_serve_change": False, "allow_subscription_cancel": True}
BILLING = {"allow_autopay_edit": True}


def create_our_call() -> Callable[[], str]:
    """Return a function that creates a client from the settings for each call, like `open_session`."""
    settings = PortalSettings.parse({"plan_overview_settings": PLAN, "billing_details_settings": BILLING})
    return lambda: AlgunaClient.from_settings().create_portal_session("customer-1", settings).url


def create_sdk_call() -> Callable[[], str]:
    """Return a function that uses one client of the SDK, which keeps its connections alive."""
    sdk = Alguna(api_key=ALGUNA_PORTAL_API_KEY, base_url=ALGUNA_PORTAL_API_URL)
    plan, billing = PlanOverviewSettingsRequest(**PLAN), BillingDetailsSettingsRequest(**BILLING)
    return lambda: (
        sdk.portal.create_session(
            customer_alias="customer-1", plan_overview_settings=plan, billing_details_settings=billing
        ).url
    )


def create_urllib3_call() -> Callable[[], str]:
    """Return a function that sends the request and reads the response without further checks."""
    pool = urllib3.PoolManager()
    body = {"customer_alias": "customer-1", "plan_overview_settings": PLAN, "billing_details_settings": BILLING}
    headers = {"Authorization": f"Bearer {ALGUNA_PORTAL_API_KEY}", "Alguna-Version": "2026-04-01"}

    def call() -> str:
        all_headers = {**headers, "Idempotency-Key": str(uuid4())}
        response = pool.request(
            "POST", f"{ALGUNA_PORTAL_API_URL}/customer-portal-sessions", json=body, headers=all_headers
        )
        return str(response.json()["url"])

    return call


def measure_block(call: Callable[[], str], calls: int) -> tuple[float, float]:
    """Return the mean CPU time of all threads and the mean elapsed time of a number of calls, in microseconds."""
    cpu, started = process_time(), perf_counter()
    for _ in range(calls):
        if not call().startswith("https://"):
            raise RuntimeError("A call returned no session.")
    return (process_time() - cpu) / calls * 1e6, (perf_counter() - started) / calls * 1e6


if __name__ == "__main__":
    calls = {"ours": create_our_call(), "sdk": create_sdk_call(), "urllib3": create_urllib3_call()}
    for call in calls.values():
        measure_block(call, 2 * PARAMETERS["calls"])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for number in range(PARAMETERS["blocks"]):
        for name in sorted(calls, reverse=bool(number % 2)):
            times[name].append(measure_block(calls[name], PARAMETERS["calls"]))
    print(json.dumps(times))
