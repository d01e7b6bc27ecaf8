"""The addresses of alguna_portal, to be included wherever the host likes: `path("billing/", include(…))`."""

from django.urls import path

from . import (
    client,  # noqa: F401  (loaded with the URLs: the first click does not wait for `requests`)
    views,
)

app_name = "alguna_portal"

urlpatterns = [
    path("", views.billing, name="billing"),
    path("link/<str:token>/", views.link, name="link"),
    # What mail programs make of it. Ours to answer: Django would log the path, which is the link.
    path("link/<path:token>", views.link),
]
