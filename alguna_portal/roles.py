"""What a person may do in the portal of a customer: `manager` all that the plan allows, `viewer` only look."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """The role of a membership, a link or one open portal."""

    MANAGER = "manager", _("manager")
    VIEWER = "viewer", _("viewer")


def get_role(name: str) -> Role:
    """Return the role of a name; raise `ValueError`, with the names there are, for any other."""
    try:
        return Role(name)
    except ValueError:
        raise ValueError(f"There is no role “{name}”; the roles are {', '.join(Role.values)}.") from None
