"""The pages: Billing itself, and those behind mailed links."""

from .billing import billing
from .links import link

__all__ = ["billing", "link"]
