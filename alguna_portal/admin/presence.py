"""Whether a customer is in Alguna: asked as its page is shown, and in one line."""

from django.core.cache.backends.base import BaseCache
from django.core.exceptions import ImproperlyConfigured
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from alguna_portal.api.circuit_breaker import Breaker
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable
from alguna_portal.models import Customer
from alguna_portal.redaction import quotable_id

SECONDS = 2


class Bystander(Breaker):
    """A breaker that is obeyed, and learns of no outage: people who wait longer than a page here may be served."""

    def after_call(self, failure: BaseException | None) -> None:
        """Report what took too long, or failed, as a call that was cut off."""
        super().after_call(TimeoutError() if isinstance(failure, AlgunaUnavailable) else failure)

    def _becomes_probe(self, cache: BaseCache) -> bool:  # noqa: ARG002
        """Leave it to others to find out whether an outage is over: they would wait while this one fails to say so."""
        return False


def presence(customer: Customer) -> SafeString | str:
    """Say whether Alguna has a customer with this alias, and whether it is the one known here."""
    # Not above, as in `customers`.
    from alguna_portal.api.client import AlgunaClient

    try:
        client = AlgunaClient.from_settings(watcher=Bystander())
        found = client.find_customer(customer.alias, within=SECONDS)
    except (AlgunaError, ImproperlyConfigured) as exc:
        return format_html('<span class="quiet">{}</span>', _("Unknown: %(reason)s") % {"reason": exc})
    known = customer.customer_id
    ids = {"found": quotable_id(found or ""), "known": quotable_id(known or "")}
    if found == known:
        # Neither there nor known, or the same.
        # Translators: whether a customer is in Alguna, and its id there.
        return _("Yes, as %(found)s") % ids if found else pgettext("customer in Alguna", "No")
    if known is None:
        return _("Yes, as %(found)s, which is not stored here yet. “Create in Alguna” stores it.") % ids
    if found is None:
        warning = _(
            "No customer there has this alias, though %(known)s is stored here. Add the alias to that customer in "
            "Alguna. Only where that customer is gone, empty the customer id here and create it anew."
        )
    else:
        warning = _(
            "Yes, but as %(found)s, while %(known)s is stored here: portal sessions are refused. Move the alias in "
            "Alguna, or store %(found)s here, whichever of the two is right."
        )
    return format_html("<strong>{}</strong>", warning % ids)
