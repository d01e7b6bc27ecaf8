"""The hosted portal's pages, as a browser gets them."""

import json
import re
import sys
from typing import Any

import pytest

from alguna_portal.sandbox.dashboard import add_customer
from tests.sandbox.conftest import Door, link, text


def test_the_portal_shows_its_three_sections(door: Door) -> None:
    """Plan, invoices and billing, with what the guide says is in them."""
    customer = door.customer(
        contacts=[{"email": "billing@acme.test", "is_primary": True}],
        billing_address={
            "line1": "1 Main St",
            "line2": "Suite 5",
            "city": "Bern",
            "postal_code": "3000",
            "country": "CHE",
        },
    )
    response = door.client.get(door.portal(customer))
    assert response.status_code == 200
    page = text(response)
    headings = re.findall(r"<h[12][^>]*>([^<]*)</h[12]>", response.content.decode())
    assert headings == ["Acme Inc", "Plan Overview", "Invoices", "Billing Information"]
    assert "Starter Active Estimated next charge $49.00 Next charge date" in page
    assert "Price breakdown Item Quantity Amount Starter, monthly fee 1 $49.00" in page
    for status in ("Issued", "Overdue", "Paid"):
        assert f"$49.00 {status} Open invoice" in page
    assert "1 Main St Suite 5 Bern 3000 CHE billing@acme.test" in page
    assert "Visa ending in 4242" in page
    assert "Auto-pay On" in page
    for button in ("Cancel subscription", "Turn off auto-pay"):
        assert f">{button}</button>" in response.content.decode()


@pytest.mark.parametrize(
    ("section", "heading"),
    [
        ("plan_overview_settings", "Plan Overview"),
        ("invoice_list_settings", "Invoices"),
        ("billing_details_settings", "Billing Information"),
    ],
)
def test_a_hidden_section_is_absent(door: Door, section: str, heading: str) -> None:
    """The two others stay."""
    path = door.portal(door.customer(), **{section: {"show_section": False}})
    page = door.client.get(path).content.decode()
    assert f">{heading}</h2>" not in page
    assert page.count("</h2>") == 2


def test_a_forbidden_power_has_no_button(door: Door) -> None:
    """What the session does not allow is not offered."""
    path = door.portal(
        door.customer(),
        plan_overview_settings={"allow_subscription_cancel": False},
        billing_details_settings={"allow_autopay_edit": False},
    )
    assert "<button" not in door.client.get(path).content.decode()


def test_cancelling_asks_first_and_then_ends_the_subscription(door: Door) -> None:
    """The status changes, the button goes, and the API says the same."""
    path = door.portal(door.customer())
    cancel = link(door.client.get(path), "/cancel")
    question = door.client.get(cancel)
    assert ">Yes, cancel it</button>" in question.content.decode()
    assert "$49.00" in text(question)
    after = door.client.post(cancel, follow=True)
    assert after.redirect_chain == [(f"{path}?notice=canceled", 302)]
    assert "Your subscription has been cancelled." in text(after)
    assert "Starter Canceled" in text(after)
    assert "Cancel subscription" not in text(after)
    assert "Estimated next charge" not in text(after)
    (subscription,) = json.loads(door.ask("GET", "/subscriptions").content)["data"]
    assert subscription["status"] == "canceled"


def test_a_second_cancellation_leads_back(door: Door) -> None:
    """An old tab neither asks nor fails."""
    path = door.portal(door.customer())
    cancel = link(door.client.get(path), "/cancel")
    door.client.post(cancel)
    assert door.client.get(cancel)["Location"] == path
    assert door.client.post(cancel).status_code == 302


def test_auto_pay_is_switched_off_and_on(door: Door) -> None:
    """Pressing twice does it once."""
    path = door.portal(door.customer())
    for _ in "twice":
        off = door.client.post(f"{path}/auto-pay", {"auto_pay": "off"}, follow=True)
    assert "Auto-pay Off" in text(off)
    assert "Auto-pay is off." in text(off)
    assert ">Turn on auto-pay</button>" in off.content.decode()
    on = door.client.post(f"{path}/auto-pay", {"auto_pay": "on"}, follow=True)
    assert "Auto-pay On" in text(on)


def test_an_invoice_opens_on_a_page(door: Door) -> None:
    """With its number, dates, lines and total."""
    path = door.portal(door.customer())
    response = door.client.get(link(door.client.get(path), r"/invoices/\w+"))
    assert re.search(r"Invoice INV-\w{4}-0003 Issued Billed to Acme Inc", text(response))
    assert "Total $49.00" in text(response)


@pytest.mark.parametrize("name", ["Acme Inc", "Ünïcode €", "日本 🎉"])
def test_an_invoice_downloads_as_a_pdf(door: Door, name: str) -> None:
    """The file is named after the invoice, whatever the company is called."""
    path = door.portal(door.customer(name=name, currency="EUR"))
    response = door.client.get(link(door.client.get(path), "/pdf"))
    assert response["Content-Type"] == "application/pdf"
    assert re.fullmatch(r'attachment; filename="INV-\w{4}-0003.pdf"', response["Content-Disposition"])
    assert response.content.startswith(b"%PDF")
    assert response.content.rstrip().endswith(b"%%EOF")


def test_without_reportlab_the_page_names_the_remedy(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the portal works without it."""
    for module in ("reportlab", "reportlab.lib", "reportlab.lib.colors"):
        monkeypatch.setitem(sys.modules, module, None)
    path = door.portal(door.customer())
    response = door.client.get(link(door.client.get(path), "/pdf"))
    assert response.status_code == 501
    assert "pip install &quot;alguna_portal[sandbox]&quot;" in response.content.decode()


def test_the_brand_is_on_the_page(door: Door, settings: Any) -> None:
    """A name, or a logo that is named so; markup in it stays text."""
    path = door.portal(door.customer(name="<b>Acme</b>"))
    settings.ALGUNA_SANDBOX_BRAND_NAME = "Wayne & Sons"
    page = door.client.get(path).content.decode()
    assert '<span class="brand">Wayne &amp; Sons</span>' in page
    assert "<h1>&lt;b&gt;Acme&lt;/b&gt;</h1>" in page
    settings.ALGUNA_SANDBOX_LOGO_URL = "https://cdn.test/logo.svg"
    assert 'src="https://cdn.test/logo.svg" alt="Wayne &amp; Sons"' in door.client.get(path).content.decode()


def test_a_seeded_plan_is_what_the_portal_shows(door: Door) -> None:
    """Seeds and pages agree on name, amount and currency."""
    customer = add_customer(alias="a", name="A", currency="JPY", plan_name="Growth", amount_cents=12000)
    page = text(door.client.get(door.portal(customer)))
    assert "Growth Active Estimated next charge ¥12,000" in page
