"""The demo's mailbox. Slugs: no name of a mail leads out of its folder."""

from django.urls import path

from example_project.studio import mail_views

urlpatterns = [
    path("", mail_views.mailbox, name="mailbox"),
    path("<slug:name>/", mail_views.mail, name="mail"),
    path("<slug:name>/html/", mail_views.mail_html, name="mail_html"),
]
