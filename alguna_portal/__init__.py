"""The Alguna customer portal in a Django product.

A click on Billing passes these steps, each in one module or package:

    views       the Billing page, the page behind a mailed link, the webhook endpoint
    access      which customers a request may open, in which role
    plans       the portal settings for a customer and a role
    sessions    a cached session, or exactly one new session
    api         calls to Alguna: client, retries, HTTP, responses, circuit breaker

`links`, `webhooks`, `customers` (creation and plan synchronization), `bulk` (long commands), `doctor`, `admin`,
`management` and `templatetags` enter at the step that they need. All build on `models`, `conf` (settings and system
checks), `cache`, `audit` and `transactions`. `sandbox` implements Alguna for development, and `testing` puts it behind
`requests` in tests. CONTRIBUTING.md shows which package may import which.
"""

__version__ = "0.1.0"
