"""Roles in a customer's portal: `manager` may do everything that the plan allows, `viewer` may only look."""

from typing import Never

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """The role of a membership, of a link or in a portal session."""

    MANAGER = "manager", _("manager")
    VIEWER = "viewer", _("viewer")

    @classmethod
    def _missing_(cls, value: object) -> Never:
        raise ValueError(f"There is no role “{value}”; the roles are {', '.join(cls.values)}.")
