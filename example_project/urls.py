"""The addresses of Kilnkeeper; under DEBUG also of the sandbox that plays Alguna."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("example_project.studio.urls")),
    path("billing/", include("alguna_portal.urls")),
    path("admin/", admin.site.urls),
]
if settings.DEBUG:
    urlpatterns.append(path("sandbox/", include("alguna_portal.sandbox.urls")))
