"""What a host may listen to. Receivers that fail are logged by Django, and stop nobody.

customer_provisioned    a customer has been found or created in Alguna, and its `customer_id` stored.
                        `customer`: the `Customer`; `created`: False where Alguna had it already
link_sent               a link to a portal has been mailed. `link`: the `PortalLink`
"""

from django.dispatch import Signal

customer_provisioned = Signal()
link_sent = Signal()
