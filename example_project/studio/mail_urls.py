"""URLs of the demo's mailbox. Names are slugs, so that they can't contain path separators."""

from django.urls import path

from example_project.studio import mail_views

urlpatterns = [
    path("", mail_views.mailbox, name="mailbox"),
    path("<slug:name>/", mail_views.mail, name="mail"),
    path("<slug:name>/html/", mail_views.mail_html, name="mail_html"),
]
