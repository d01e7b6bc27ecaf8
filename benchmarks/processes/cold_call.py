"""Calls for a new portal session with our client, the official SDK and urllib3 alone, in turns."""

import json
from collections.abc import Callable
from time import perf_counter, process_time
from uuid import uuid4

import urllib3
from alguna import Alguna, BillingDetailsSettingsRequest, PlanOverviewSettingsRequest

from alguna_portal.api.client import AlgunaClient
from alguna_portal.portal_settings import PortalSettings
from benchmarks.settings import ALGUNA_PORTAL_API_KEY, ALGUNA_PORTAL_API_URL, ORDER

PLAN = {"allow_self_serve_change": False, "allow_subscription_cancel": True}
BILLING = {"allow_autopay_edit": True}


def create_app_call() -> Callable[[], str]:
    """Return a call with a new client each time, like `open_session`."""
    settings = PortalSettings.parse({"plan_overview_settings": PLAN, "billing_details_settings": BILLING})
    return lambda: AlgunaClient.from_settings().create_portal_session("customer-1", settings).url


def create_sdk_call() -> Callable[[], str]:
    """Return a call with one client of the SDK, which keeps its connections."""
    sdk = Alguna(api_key=ALGUNA_PORTAL_API_KEY, base_url=ALGUNA_PORTAL_API_URL)
    plan, billing = PlanOverviewSettingsRequest(**PLAN), BillingDetailsSettingsRequest(**BILLING)
    return lambda: (
        sdk.portal.create_session(
            customer_alias="customer-1", plan_overview_settings=plan, billing_details_settings=billing
        ).url
    )


def create_urllib3_call() -> Callable[[], str]:
    """Return a call that only sends the request and parses the response."""
    pool = urllib3.PoolManager()
    body = {"customer_alias": "customer-1", "plan_overview_settings": PLAN, "billing_details_settings": BILLING}
    headers = {"Authorization": f"Bearer {ALGUNA_PORTAL_API_KEY}", "Alguna-Version": "2026-04-01"}

    def call() -> str:
        sent = {**headers, "Idempotency-Key": str(uuid4())}
        answer = pool.request("POST", f"{ALGUNA_PORTAL_API_URL}/customer-portal-sessions", json=body, headers=sent)
        return str(answer.json()["url"])

    return call


def time_calls(call: Callable[[], str], calls: int) -> tuple[float, float]:
    """Return the mean CPU time of all threads and the mean time of a call, in microseconds."""
    cpu, started = process_time(), perf_counter()
    for _ in range(calls):
        if not call().startswith("https://"):
            raise RuntimeError("A call brought no session.")
    return (process_time() - cpu) / calls * 1e6, (perf_counter() - started) / calls * 1e6


if __name__ == "__main__":
    calls = {"ours": create_app_call(), "sdk": create_sdk_call(), "urllib3": create_urllib3_call()}
    for call in calls.values():
        time_calls(call, 2 * ORDER["calls"])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for number in range(ORDER["blocks"]):
        for name in sorted(calls, reverse=bool(number % 2)):
            times[name].append(time_calls(calls[name], ORDER["calls"]))
    print(json.dumps(times))
