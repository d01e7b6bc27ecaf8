"""`manage.py seed`: creates the demo's companies and people."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from alguna_portal.conf import conf
from alguna_portal.models import Customer, Membership
from example_project.studio.conf import get_port, uses_mailbox, uses_sandbox
from example_project.studio.demo import COMPANIES, NEWCOMER, PEOPLE, Person, describe_permissions

ADMIN = "admin"
ROW = "{:<10} {:<20} {:<12} {:<9} {}"


class Command(BaseCommand):
    """Create the missing demo data, and print how to sign in."""

    help = "Adds the demo's companies and people. Whoever is there already is left alone, with all that is theirs."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  (Django's names)
        if not settings.DEBUG:
            raise CommandError("The demo's people sign in without a password: there is nothing to seed outside DEBUG.")
        with transaction.atomic():
            for person in PEOPLE:
                _create_person(person)
            Customer.objects.get_or_create(alias=NEWCOMER.alias, defaults=NEWCOMER.defaults)
            if not User.objects.filter(username=ADMIN).exists():
                User.objects.create_superuser(ADMIN, "admin@example.com", ADMIN)
        if uses_sandbox() and apps.is_installed("alguna_portal.sandbox"):
            _create_sandbox_customers()
        self._print_summary()

    def _print_summary(self) -> None:
        """Print the URLs, the people with their current roles, and the admin's login."""
        write, bold = self.stdout.write, self.style.MIGRATE_HEADING
        write(f"\n  {bold('Kilnkeeper')}  http://localhost:{get_port()}/\n\n")
        write("  " + bold(ROW.format("sign in as", "company", "plan", "role", "in Billing").rstrip()))
        for person in PEOPLE:
            memberships = list(
                Membership.objects.filter(user__username=person.username).select_related("customer").order_by("role")
            )
            cells = [(str(each.customer), each.customer.plan, each.role) for each in memberships] or [("-", "-", "-")]
            for number, row in enumerate(cells):
                first = number == 0
                line = ROW.format(
                    person.username if first else "", *row, describe_permissions(memberships) if first else ""
                )
                write(f"  {line}".rstrip())
        write("\n  One click on the first page signs you in; no passwords.")
        write(f"  Admin  http://localhost:{get_port()}/admin/  ({ADMIN} / {ADMIN})")
        if uses_mailbox():
            write(f"  Mailbox  http://localhost:{get_port()}/demo/mail/  (what the demo mails)")
        if uses_sandbox():
            write("  Billing opens the sandbox, which plays Alguna on this machine.\n\n")
        else:
            aliases = ", ".join(Customer.objects.order_by("alias").values_list("alias", flat=True))
            write(f"  Billing asks {conf.API_URL}, which must know these aliases: {aliases}\n\n")


def _create_person(person: Person) -> None:
    """Create a person with their companies and roles, unless the person exists: they may have been changed since."""
    email = f"{person.username}@example.com"
    names = {"first_name": person.first_name, "last_name": person.last_name, "email": email}
    user, is_new = User.objects.get_or_create(username=person.username, defaults=names)
    if not is_new:
        return
    user.set_unusable_password()
    user.save(update_fields=["password"])
    for company, role in person.roles:
        customer, _ = Customer.objects.get_or_create(alias=company.alias, defaults=company.defaults)
        Membership.objects.create(user=user, customer=customer, role=role)


def _create_sandbox_customers() -> None:
    """Create the demo's companies in the sandbox, with their original names."""
    # A local import, because the sandbox's models aren't installed outside DEBUG.
    from alguna_portal.sandbox.dashboard import add_customer

    for company in COMPANIES:
        add_customer(
            alias=company.alias,
            name=company.name,
            currency=company.currency,
            email=company.email,
            plan_name=company.plan.capitalize(),
            plan_id=f"plan_{company.plan}",
            amount_cents=company.amount_cents,
        )
