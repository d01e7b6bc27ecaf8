"""What a host may listen to. Receivers that fail are logged by Django, and stop nobody.

portal_opened           somebody is sent to a portal, or code got a session for one. `customer`: the `Customer`, which
                        may have no row; `user`, or None behind a mailed link and where code names none; `link`: the
                        `PortalLink`, or None; `via`: “view”, “link” or “api”; `role`; `reused`: whether the session
                        was there already; `seconds`: how long it took
portal_failed           no portal was opened. `user`, `link`, `via` and `role` as above, the role empty where nobody
                        has one; `customer`, or None where there was none to open; `seconds`, or None where nobody was
                        asked; `outcome`: “denied”, “unavailable” (later it may work) or “failed”; `error`: the name
                        of an exception, empty where there was none
customer_provisioned    a customer has been found or created in Alguna, and its id stored.
                        `customer`: the `Customer`; `created`: False where Alguna had it already
link_sent               a link to a portal has been mailed. `link`: the `PortalLink`
webhook_received        Alguna has told something. `event`: a `webhooks.Event`, which may hold personal data. Here a
                        receiver that fails has the message delivered again, to all of them; `@webhooks.on` is
                        called once

The sender is the model that it is about: `Customer`, `PortalLink` or `WebhookDelivery`. No argument holds a portal's
URL: that is a credential, and whoever needs one asks `open_session`.
"""

from django.dispatch import Signal

portal_opened = Signal()
portal_failed = Signal()
customer_provisioned = Signal()
link_sent = Signal()
webhook_received = Signal()
