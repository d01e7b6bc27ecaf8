"""The settings of alguna_portal, their types and their system checks."""

from .settings import PREFIX, conf

__all__ = ["PREFIX", "conf"]
