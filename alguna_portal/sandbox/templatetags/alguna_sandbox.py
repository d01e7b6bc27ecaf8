"""How the portal's templates write amounts and dates."""

from django import template

from alguna_portal.sandbox.web import branding

register = template.Library()


@register.simple_tag
def amount(cents: int, currency: str, quantity: int = 1) -> str:
    """Write an amount, or the amount of several of a thing."""
    return branding.amount(cents * quantity, currency)


@register.filter
def day(iso: str) -> str:
    """Write a date."""
    return branding.day(iso)
