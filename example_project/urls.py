"""URLs of the example project, with DEBUG including the sandbox and the demo's mailbox."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from example_project.studio.conf import uses_mailbox

urlpatterns = [
    path("", include("example_project.studio.urls")),
    path("billing/", include("alguna_portal.urls")),
    path("admin/", admin.site.urls),
]
if settings.DEBUG:
    urlpatterns.append(path("sandbox/", include("alguna_portal.sandbox.urls")))
if uses_mailbox():
    urlpatterns.append(path("demo/mail/", include("example_project.studio.mail_urls")))
