"""What answers: Billing itself, the pages behind mailed links, and the webhook."""

from .billing import billing
from .links import link
from .webhooks import webhook

__all__ = ["billing", "link", "webhook"]
