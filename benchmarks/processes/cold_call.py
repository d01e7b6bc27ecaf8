"""Calls for a new portal session: by our client, by the official SDK, and by urllib3 alone, in turns."""

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


def by_us() -> Callable[[], str]:
    """Call as `open_session` does: with a client made from the settings each time."""
    settings = PortalSettings.parse({"plan_overview_settings": PLAN, "billing_details_settings": BILLING})
    return lambda: AlgunaClient.from_settings().create_portal_session("customer-1", settings).url


def by_sdk() -> Callable[[], str]:
    """Call with one client, as the SDK is meant to be used; it keeps its connections."""
    sdk = Alguna(api_key=ALGUNA_PORTAL_API_KEY, base_url=ALGUNA_PORTAL_API_URL)
    plan, billing = PlanOverviewSettingsRequest(**PLAN), BillingDetailsSettingsRequest(**BILLING)
    return lambda: (
        sdk.portal.create_session(
            customer_alias="customer-1", plan_overview_settings=plan, billing_details_settings=billing
        ).url
    )


def by_urllib3() -> Callable[[], str]:
    """Send the bare request and read the bare answer."""
    pool = urllib3.PoolManager()
    body = {"customer_alias": "customer-1", "plan_overview_settings": PLAN, "billing_details_settings": BILLING}
    headers = {"Authorization": f"Bearer {ALGUNA_PORTAL_API_KEY}", "Alguna-Version": "2026-04-01"}

    def call() -> str:
        sent = {**headers, "Idempotency-Key": str(uuid4())}
        answer = pool.request("POST", f"{ALGUNA_PORTAL_API_URL}/customer-portal-sessions", json=body, headers=sent)
        return str(answer.json()["url"])

    return call


def block(call: Callable[[], str], calls: int) -> tuple[float, float]:
    """Call so many times; return the mean CPU time of all threads and the mean time, in microseconds."""
    cpu, started = process_time(), perf_counter()
    for _ in range(calls):
        if not call().startswith("https://"):
            raise RuntimeError("A call brought no session.")
    return (process_time() - cpu) / calls * 1e6, (perf_counter() - started) / calls * 1e6


if __name__ == "__main__":
    calls = {"ours": by_us(), "sdk": by_sdk(), "urllib3": by_urllib3()}
    for call in calls.values():
        block(call, 2 * ORDER["calls"])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for number in range(ORDER["blocks"]):
        for name in sorted(calls, reverse=bool(number % 2)):
            times[name].append(block(calls[name], ORDER["calls"]))
    print(json.dumps(times))
