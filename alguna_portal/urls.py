"""The addresses of alguna_portal, to be included wherever the host likes: `path("billing/", include(…))`."""

from django.urls import path, re_path

from . import views
from .api import client  # noqa: F401  (loaded with the URLs, so that the first click doesn't wait for `requests`)

app_name = "alguna_portal"

urlpatterns = [
    path("", views.billing, name="billing"),
    path("webhook/", views.webhook, name="webhook"),
    path("link/<str:token>/", views.link, name="link"),
    # What mail programs make of it. Ours to answer: Django would log the path, which is the link.
    # `path` would leave out what has a line break.
    re_path(r"^link/(?P<token>[\s\S]+)\Z", views.link),
]
