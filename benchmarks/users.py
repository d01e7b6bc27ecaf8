"""The people of the site: users who are signed in, each a member of one customer. Needs Django set up."""

from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

from alguna_portal.models import Customer, Membership


def settle(number: int) -> list[str]:
    """Make the database's tables and so many people; return their session cookies."""
    call_command("migrate", verbosity=0)
    people = User.objects.bulk_create([User(username=f"user-{each}", password="!") for each in range(number)])
    customers = Customer.objects.bulk_create(
        [Customer(alias=f"customer-{each}", name=f"Customer {each}", plan="growth") for each in range(number)]
    )
    Membership.objects.bulk_create(
        [Membership(user=user, customer=customer) for user, customer in zip(people, customers, strict=True)]
    )
    sessions = [_session(user) for user in people]
    Session.objects.bulk_create(sessions)
    return [f"{settings.SESSION_COOKIE_NAME}={session.session_key}" for session in sessions]


def _session(user: User) -> Session:
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore()
    signed_in = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    return Session(
        session_key=store._get_new_session_key(),  # noqa: SLF001  (one query instead of three for each of hundreds)
        session_data=store.encode(signed_in),
        expire_date=timezone.now() + timedelta(days=1),
    )
