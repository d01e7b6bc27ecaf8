"""Pages of the hosted portal."""

import re
import sys
from typing import Any

import pytest

from alguna_portal.sandbox.dashboard import add_customer
from tests.sandbox.conftest import SandboxClient, find_link, get_text


def test_portal_shows_three_sections(sandbox: SandboxClient) -> None:
    address = {"line1": "1 Main St", "line2": "Suite 5", "city": "Bern", "postal_code": "3000", "country": "CHE"}
    contacts = [{"email": "billing@acme.test", "is_primary": True}]
    customer = sandbox.create_customer(contacts=contacts, billing_address=address)
    response = sandbox.client.get(sandbox.create_portal(customer))
    assert response.status_code == 200
    page = get_text(response)
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
def test_hidden_section_is_not_shown(sandbox: SandboxClient, section: str, heading: str) -> None:
    path = sandbox.create_portal(sandbox.create_customer(), **{section: {"show_section": False}})
    page = sandbox.client.get(path).content.decode()
    assert f">{heading}</h2>" not in page
    assert page.count("</h2>") == 2


def test_button_is_not_shown_without_permission(sandbox: SandboxClient) -> None:
    path = sandbox.create_portal(
        sandbox.create_customer(),
        plan_overview_settings={"allow_subscription_cancel": False},
        billing_details_settings={"allow_autopay_edit": False},
    )
    assert "<button" not in sandbox.client.get(path).content.decode()


def test_cancellation_is_confirmed_first(sandbox: SandboxClient) -> None:
    path = sandbox.create_portal()
    cancel = find_link(sandbox.client.get(path), "/cancel")
    question = sandbox.client.get(cancel)
    assert ">Yes, cancel it</button>" in question.content.decode()
    assert "$49.00" in get_text(question)
    after = sandbox.client.post(cancel, follow=True)
    assert after.redirect_chain == [(f"{path}?notice=canceled", 302)]
    assert "Your subscription has been cancelled." in get_text(after)
    assert "Starter Canceled" in get_text(after)
    assert "Cancel subscription" not in get_text(after)
    assert "Estimated next charge" not in get_text(after)
    (subscription,) = sandbox.get_data("/subscriptions")
    assert subscription["status"] == "canceled"


def test_second_cancellation_redirects_to_the_overview(sandbox: SandboxClient) -> None:
    path = sandbox.create_portal()
    cancel = find_link(sandbox.client.get(path), "/cancel")
    sandbox.client.post(cancel)
    assert sandbox.client.get(cancel)["Location"] == path
    assert sandbox.client.post(cancel).status_code == 302


def test_auto_pay_is_turned_off_and_on(sandbox: SandboxClient) -> None:
    """Submitting twice turns it off once."""
    path = sandbox.create_portal()
    for _ in "twice":
        off = sandbox.client.post(f"{path}/auto-pay", {"auto_pay": "off"}, follow=True)
    assert "Auto-pay Off" in get_text(off)
    assert "Auto-pay is off." in get_text(off)
    assert ">Turn on auto-pay</button>" in off.content.decode()
    on = sandbox.client.post(f"{path}/auto-pay", {"auto_pay": "on"}, follow=True)
    assert "Auto-pay On" in get_text(on)


def test_invoice_page_shows_number_dates_lines_and_total(sandbox: SandboxClient) -> None:
    path = sandbox.create_portal()
    response = sandbox.client.get(find_link(sandbox.client.get(path), r"/invoices/\w+"))
    assert re.search(r"Invoice INV-\w{4}-0003 Issued Billed to Acme Inc", get_text(response))
    assert "Total $49.00" in get_text(response)


@pytest.mark.parametrize("name", ["Acme Inc", "Ünïcode €", "日本 🎉"])
def test_invoice_is_downloaded_as_pdf(sandbox: SandboxClient, name: str) -> None:
    path = sandbox.create_portal(sandbox.create_customer(name=name, currency="EUR"))
    response = sandbox.client.get(find_link(sandbox.client.get(path), "/pdf"))
    assert response["Content-Type"] == "application/pdf"
    assert re.fullmatch(r'attachment; filename="INV-\w{4}-0003.pdf"', response["Content-Disposition"])
    assert response.content.startswith(b"%PDF")
    assert response.content.rstrip().endswith(b"%%EOF")


def test_page_explains_how_to_install_reportlab(sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("reportlab", "reportlab.lib", "reportlab.lib.colors"):
        monkeypatch.setitem(sys.modules, module, None)
    path = sandbox.create_portal()
    response = sandbox.client.get(find_link(sandbox.client.get(path), "/pdf"))
    assert response.status_code == 501
    assert "pip install &quot;alguna_portal[sandbox]&quot;" in response.content.decode()


def test_brand_name_and_logo_are_settings(sandbox: SandboxClient, settings: Any) -> None:
    """Markup is escaped."""
    path = sandbox.create_portal(sandbox.create_customer(name="<b>Acme</b>"))
    settings.ALGUNA_SANDBOX_BRAND_NAME = "Wayne & Sons"
    page = sandbox.client.get(path).content.decode()
    assert '<span class="brand">Wayne &amp; Sons</span>' in page
    assert "<h1>&lt;b&gt;Acme&lt;/b&gt;</h1>" in page
    settings.ALGUNA_SANDBOX_LOGO_URL = "https://cdn.test/logo.svg"
    assert 'src="https://cdn.test/logo.svg" alt="Wayne &amp; Sons"' in sandbox.client.get(path).content.decode()


def test_plan_of_add_customer_is_shown(sandbox: SandboxClient) -> None:
    customer = add_customer(alias="a", name="A", currency="JPY", plan_name="Growth", amount_cents=12000)
    page = get_text(sandbox.client.get(sandbox.create_portal(customer)))
    assert "Growth Active Estimated next charge ¥12,000" in page
