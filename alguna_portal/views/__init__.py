"""Views: the billing view, the pages behind emailed links, and the webhook endpoint."""

from .billing import billing
from .links import link
from .webhooks import webhook

__all__ = ["billing", "link", "webhook"]
