"""URLs of the test project: the app, the sandbox and the admin."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("sandbox/", include("alguna_portal.sandbox.urls")),
    path("billing/", include("alguna_portal.urls")),
]
