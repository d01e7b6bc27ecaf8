"""URLs of the sandbox: the hosted portal's pages and, for all other paths, the API."""

from django.urls import path, re_path

from alguna_portal.sandbox.web.api_views import api

from .web import portal_views

app_name = "alguna_sandbox"

urlpatterns = [
    path("brand.css", portal_views.brand_stylesheet, name="brand"),
    path("hs/<str:token>", portal_views.portal_link, name="portal"),
    path("hs/<str:token>/billing", portal_views.overview, name="home"),
    path("hs/<str:token>/invoices/<str:invoice_id>", portal_views.invoice, name="invoice"),
    path("hs/<str:token>/invoices/<str:invoice_id>/pdf", portal_views.invoice_pdf, name="invoice_pdf"),
    path("hs/<str:token>/subscriptions/<str:subscription_id>/cancel", portal_views.cancel, name="cancel"),
    path("hs/<str:token>/subscriptions/<str:subscription_id>/plan", portal_views.plan, name="plan"),
    path("hs/<str:token>/payment-method", portal_views.payment_method, name="payment_method"),
    path("hs/<str:token>/account", portal_views.account, name="account"),
    path("hs/<str:token>/auto-pay", portal_views.auto_pay, name="auto_pay"),
    path("hs/<path:rest>", portal_views.not_found),
    # The engine routes API paths itself. Aliases in them can contain any character.
    re_path(r"^(?P<path>[\s\S]*)\Z", api, name="api"),
]
