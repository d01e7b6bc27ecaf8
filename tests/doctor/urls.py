"""URLs of a site without the sandbox."""

from django.urls import include, path

urlpatterns = [path("billing/", include("alguna_portal.urls"))]
