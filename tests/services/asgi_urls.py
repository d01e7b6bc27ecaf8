"""The test project's URLs, and an asynchronous view."""

from django.http import HttpRequest, HttpResponseRedirect
from django.urls import path

from alguna_portal.models import Membership
from alguna_portal.sessions import aopen_session
from tests.urls import urlpatterns as tests_urlpatterns


async def own_billing(request: HttpRequest) -> HttpResponseRedirect:
    user = await request.auser()
    membership = await Membership.objects.select_related("customer").aget(user=user)  # type: ignore[misc]
    return HttpResponseRedirect((await aopen_session(membership.customer, user=user, role=membership.role)).url)


urlpatterns = [*tests_urlpatterns, path("own-billing/", own_billing)]
