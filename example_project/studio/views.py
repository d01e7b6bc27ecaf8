"""Kilnkeeper's own views. They only use template tags and `get_accesses` of alguna_portal."""

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
from example_project.studio.demo import NEWCOMER, PEOPLE, describe_permissions
from example_project.studio.firings import READY, get_firings


class Landing(LoginView):
    """The landing page with the sign-in: one click in the demo, a password elsewhere."""

    template_name = "studio/landing.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Redirect signed-in users to the dashboard."""
        if request.user.is_authenticated:
            return redirect("dashboard")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """In the demo, add the people to sign in as, and the company that isn't in Alguna yet."""
        demo = {"people": _get_people(), "newcomer": _find_newcomer()} if settings.DEBUG else {}
        return super().get_context_data(**kwargs, is_demo=settings.DEBUG, **demo)


@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show this week's firings, and the plan of each of the user's companies."""
    firings = get_firings(timezone.localdate())
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
    """Show the members of each of the user's companies with their roles."""
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
    """Sign in as one of the demo's people without a password; only with DEBUG."""
    if not settings.DEBUG or username not in {person.username for person in PEOPLE}:
        raise Http404
    user = get_object_or_404(User, username=username, is_active=True)
    login(request, user)
    messages.success(request, f"You are signed in as {user.get_full_name() or username}.")
    next_url = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(next_url, {request.get_host()}, require_https=request.is_secure()):
        return redirect(next_url)
    return redirect("dashboard")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out and show a message."""
    logout(request)
    messages.info(request, "You are signed out.")
    return redirect("landing")


def _find_newcomer() -> Customer | None:
    """Return the company that isn't in the sandbox yet, or None. With Alguna itself, this isn't known."""
    return Customer.objects.filter(alias=NEWCOMER.alias, customer_id=None).first() if uses_sandbox() else None


def _get_people() -> list[dict[str, Any]]:
    """Return the demo's people with their current memberships."""
    users = User.objects.in_bulk([person.username for person in PEOPLE], field_name="username")
    memberships = Membership.objects.filter(user__in=users.values()).select_related("customer").order_by("role")
    return [
        {"user": user, "memberships": theirs, "permissions": describe_permissions(theirs)}
        for person in PEOPLE
        if (user := users.get(person.username))
        for theirs in [[each for each in memberships if each.user_id == user.pk]]
    ]
