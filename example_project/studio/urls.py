"""URLs of Kilnkeeper's own pages."""

from django.urls import path

from example_project.studio import views

urlpatterns = [
    path("", views.Landing.as_view(), name="landing"),
    path("firings/", views.dashboard, name="dashboard"),
    path("team/", views.team, name="team"),
    path("sign-in-as/<str:username>/", views.sign_in_as, name="sign_in_as"),
    path("sign-out/", views.sign_out, name="sign_out"),
]
