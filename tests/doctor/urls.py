"""The addresses of a site outside development: no sandbox."""

from django.urls import include, path

urlpatterns = [path("billing/", include("alguna_portal.urls"))]
