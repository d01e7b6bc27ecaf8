"""The Alguna customer portal in a Django product: one click on Billing, the right portal.

A request goes one way; read the modules in this order:

    views                                a click on Billing, and the answers to it
    access                               who is asking, for which customer, in which role
    plans                                which portal settings follow from plan and role
    sessions, session_cache, making      a cached session, or a new one
    audit, events, signals               what is told of each click
    links                                the same portal, from a link that was mailed
    link_sending, link_mails, tasks      links made and mailed, by a worker if there is one
    intake, webhooks, plan_sync          what Alguna tells: taken in, handled once; plans asked for, not believed
    customers                            created in Alguna where it does not know them
    flight, breaker                      made once for all who ask; not asked for while Alguna is down
    client                               what Alguna can be asked
    calls, transport, threads            one call to it, retried and bounded
    bodies, legacy                       what is said to it
    decoding, answers, vetting           what it says, and where users may be sent

Below them stand `models`, `conf` with its kinds of settings, `portal_settings`, `roles`, `cache`, `entries`,
`encryption`, `hosts`, `quoting`, `reports`, `transactions` and `exceptions`; beside them `admin`, the template tags,
the commands, with `bulk` for the long ones and `doctor` for what is wrong with a deployment, and `checks`, which look
at the host's `hooks`, too. `sandbox` plays Alguna, and `testing` puts it under `requests`.
"""

__version__ = "0.1.0"
