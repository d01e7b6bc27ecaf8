"""A Django app for development that simulates Alguna: its HTTP API and its hosted customer portal."""
