"""URLs of alguna_portal, to include in your project: `path("billing/", include("alguna_portal.urls"))`."""

from django.urls import path, re_path

from . import views
from .api import client  # noqa: F401  (imported with the URLs, so that the first click doesn't wait for `requests`)

app_name = "alguna_portal"

urlpatterns = [
    path("", views.billing, name="billing"),
    path("webhook/", views.webhook, name="webhook"),
    path("link/<str:token>/", views.link, name="link"),
    # Links that an email program changed. Without this, Django would log their paths, which are credentials.
    # `path` doesn't match line breaks.
    re_path(r"^link/(?P<token>[\s\S]+)\Z", views.link),
]
