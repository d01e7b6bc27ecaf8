"""The addresses of alguna_portal, to be included wherever the host likes: `path("billing/", include(…))`."""

from django.urls import path

from . import views

app_name = "alguna_portal"

urlpatterns = [path("", views.billing, name="billing")]
