"""Signals that a project can connect receivers to. If a receiver raises an exception, Django logs it.

portal_opened           A user is redirected to a portal, or code called for a session. `customer`: the `Customer`,
                        which may have no row; `user`: None for mailed links and if code passes none; `link`: the
                        `PortalLink`, or None; `via`: “view”, “link” or “api”; `role`; `reused`: whether the session
                        was cached; `seconds`: the duration
portal_failed           No portal was opened. `user`, `link`, `via` and `role` as above, the role empty if the user
                        has none; `customer`: None if the user has no customer; `seconds`: None if no session was
                        requested; `outcome`: “denied”, “unavailable” (it may work later) or “failed”; `error`: the
                        class name of an exception, or empty
customer_provisioned    A customer was found or created in Alguna, and its id was stored. `customer`: the `Customer`;
                        `created`: False if Alguna already had the customer
link_sent               A link to a portal was emailed. `link`: the `PortalLink`
webhook_received        Alguna sent a webhook. `event`: a `webhooks.Event`, which may contain personal data. If a
                        receiver raises an exception, the message is delivered again to all receivers of this signal.
                        Functions with `@webhooks.on` are called once

The sender is the model of the signal: `Customer`, `PortalLink` or `WebhookDelivery`. No argument contains the URL of a
portal, since that is a credential. If you need one, call `open_session`.
"""

from django.dispatch import Signal

portal_opened = Signal()
portal_failed = Signal()
customer_provisioned = Signal()
link_sent = Signal()
webhook_received = Signal()
