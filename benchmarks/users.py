"""Users of the benchmarked site, each signed in and a member of one customer. Needs Django to be set up."""

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


def create_users(number: int) -> list[str]:
    """Migrate the database and create users with customers; return the users' session cookies."""
    call_command("migrate", verbosity=0)
    users = User.objects.bulk_create([User(username=f"user-{each}", password="!") for each in range(number)])
    customers = Customer.objects.bulk_create(
        [Customer(alias=f"customer-{each}", name=f"Customer {each}", plan="growth") for each in range(number)]
    )
    Membership.objects.bulk_create(
        [Membership(user=user, customer=customer) for user, customer in zip(users, customers, strict=True)]
    )
    sessions = [_create_session(user) for user in users]
    Session.objects.bulk_create(sessions)
    return [f"{settings.SESSION_COOKIE_NAME}={session.session_key}" for session in sessions]


def _create_session(user: User) -> Session:
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore()
    data = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    return Session(
        session_key=store._get_new_session_key(),  # noqa: SLF001  (avoids three queries for each session)
        session_data=store.encode(data),
        expire_date=timezone.now() + timedelta(days=1),
    )
