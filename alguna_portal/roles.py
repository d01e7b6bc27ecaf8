"""Roles in a customer's portal: `manager` may do everything that the plan allows, `viewer` may only look."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """The role of a membership, of a link or in a portal session."""

    MANAGER = "manager", _("manager")
    VIEWER = "viewer", _("viewer")


def get_role(name: str) -> Role:
    """Return the role with a name; raise `ValueError` with the names of all roles if there is none."""
    try:
        return Role(name)
    except ValueError:
        raise ValueError(f"There is no role “{name}”; the roles are {', '.join(Role.values)}.") from None
