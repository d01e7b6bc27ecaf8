"""Kilnkeeper's pages. What they show of Billing comes from alguna_portal's tags and `accesses`."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from alguna_portal.access import get_accesses
from alguna_portal.models import Customer, Membership
from example_project.studio.conf import uses_sandbox
from example_project.studio.demo import NEWCOMER, PEOPLE, expectation
from example_project.studio.firings import READY, this_week


class Landing(LoginView):
    """What Kilnkeeper is, and the way in: in the demo a click, elsewhere a password."""

    template_name = "studio/landing.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Bring those who are signed in to their firings."""
        if request.user.is_authenticated:
            return redirect("dashboard")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the people to sign in as, and the company that is not in Alguna as long as it is not."""
        demo = {"cards": _cards(), "newcomer": _newcomer()} if settings.DEBUG else {}
        return super().get_context_data(**kwargs, is_demo=settings.DEBUG, **demo)


@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show this week's firings, and the plan of each of the user's companies."""
    firings = this_week(timezone.localdate())
    context = {
        "companies": get_accesses(request),
        "firings": firings,
        "ready": READY,
        "pieces": sum(each.pieces for each in firings if each.is_hot),
        "room": 100 - sum(each.full for each in firings) // len(firings),
    }
    return render(request, "studio/dashboard.html", context)


@login_required
def team(request: HttpRequest) -> HttpResponse:
    """Show who belongs to each of the user's companies, and in which role."""
    teams = [
        {
            "customer": access.customer,
            "role": access.role,
            "members": access.customer.memberships.select_related("user").order_by("role", "user__first_name"),
        }
        for access in get_accesses(request)
    ]
    return render(request, "studio/team.html", {"teams": teams})


@require_POST
def sign_in_as(request: HttpRequest, username: str) -> HttpResponse:
    """Sign in as one of the demo's people, without a password; under DEBUG only, and as nobody else."""
    if not settings.DEBUG or username not in {person.username for person in PEOPLE}:
        raise Http404
    user = get_object_or_404(User, username=username, is_active=True)
    login(request, user)
    messages.success(request, f"You are signed in as {user.get_full_name() or username}.")
    onward = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(onward, {request.get_host()}, require_https=request.is_secure()):
        return redirect(onward)
    return redirect("dashboard")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out, and say so."""
    logout(request)
    messages.info(request, "You are signed out.")
    return redirect("landing")


def _newcomer() -> Customer | None:
    """Find the company that the sandbox has not heard of; of an account at Alguna, nobody here knows."""
    return Customer.objects.filter(alias=NEWCOMER.alias, customer_id=None).first() if uses_sandbox() else None


def _cards() -> list[dict[str, Any]]:
    """Describe the demo's people as they are in the database now."""
    users = User.objects.in_bulk([person.username for person in PEOPLE], field_name="username")
    memberships = Membership.objects.filter(user__in=users.values()).select_related("customer").order_by("role")
    return [
        {"user": user, "memberships": theirs, "expectation": expectation(theirs)}
        for person in PEOPLE
        if (user := users.get(person.username))
        for theirs in [[each for each in memberships if each.user_id == user.pk]]
    ]
