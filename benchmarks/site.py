"""The benchmarked site: alguna_portal's billing view, a handwritten one for comparison and other pages."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import include, path

application = get_wsgi_application()

from alguna_portal.conf import conf  # noqa: E402
from alguna_portal.models import Membership, PortalAccess  # noqa: E402  (needs the apps)

MARGIN = timedelta(seconds=60)


def get_handwritten_cache_key(customer_id: int, user_id: int) -> str:
    """Return the cache key of a session in `handwritten_billing`."""
    return f"portal:{customer_id}:{user_id}"


@login_required
def handwritten_billing(request: HttpRequest) -> HttpResponse:
    """Redirect to a cached session, with only the necessary steps: login, one query, one cache read.

    If `ALGUNA_PORTAL_AUDIT` is on, the view also records the access.
    """
    membership = Membership.objects.select_related("customer").get(user=request.user.pk)
    session = cache.get(get_handwritten_cache_key(membership.customer.pk, membership.user_id))
    if session is None or session["expires_at"] - datetime.now(UTC) <= MARGIN:
        return HttpResponse(status=503)
    if conf.AUDIT:
        PortalAccess.objects.create(user_id=request.user.pk, customer=membership.customer)
    response = HttpResponseRedirect(session["url"])
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


@login_required
def empty_page(request: HttpRequest) -> HttpResponse:
    """Only require login."""
    return HttpResponse(status=204)


@login_required
def ordinary_page(request: HttpRequest) -> HttpResponse:
    """Return data about the user from the database, like most pages of a product."""
    names = Membership.objects.filter(user=request.user.pk).values_list("customer__name", flat=True)
    return JsonResponse({"customers": list(names)})


urlpatterns = [
    path("billing/", include("alguna_portal.urls")),
    path("billing-by-hand/", handwritten_billing),
    path("signed-in/", empty_page),
    path("ordinary/", ordinary_page),
]
