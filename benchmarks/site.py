"""The site: the portal view of alguna_portal, a hand-written one, and other pages."""

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


def get_handwritten_key(customer_id: int, user_id: int) -> str:
    """Return the cache key of `billing_by_hand`."""
    return f"portal:{customer_id}:{user_id}"


@login_required
def billing_by_hand(request: HttpRequest) -> HttpResponse:
    """Redirect to a cached session with one query and one read of the cache.

    If `ALGUNA_PORTAL_AUDIT` is on, record the click, too.
    """
    membership = Membership.objects.select_related("customer").get(user=request.user.pk)
    kept = cache.get(get_handwritten_key(membership.customer.pk, membership.user_id))
    if kept is None or kept["expires_at"] - datetime.now(UTC) <= MARGIN:
        return HttpResponse(status=503)
    if conf.AUDIT:
        PortalAccess.objects.create(user_id=request.user.pk, customer=membership.customer)
    response = HttpResponseRedirect(kept["url"])
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


@login_required
def signed_in(request: HttpRequest) -> HttpResponse:
    """Return an empty page for signed-in users."""
    return HttpResponse(status=204)


@login_required
def ordinary(request: HttpRequest) -> HttpResponse:
    """Show data of the user from the database, like most pages of a product."""
    names = Membership.objects.filter(user=request.user.pk).values_list("customer__name", flat=True)
    return JsonResponse({"customers": list(names)})


urlpatterns = [
    path("billing/", include("alguna_portal.urls")),
    path("billing-by-hand/", billing_by_hand),
    path("signed-in/", signed_in),
    path("ordinary/", ordinary),
]
