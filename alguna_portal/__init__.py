"""The Alguna customer portal in a Django product: one click on Billing, the right portal."""

__version__ = "0.1.0"
