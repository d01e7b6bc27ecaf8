"""What a host may listen to. Receivers that fail are logged by Django, and stop nobody.

customer_provisioned    a customer has been found or created in Alguna, and its `customer_id` stored.
                        `customer`: the `Customer`; `created`: False where Alguna had it already
"""

from django.dispatch import Signal

customer_provisioned = Signal()
