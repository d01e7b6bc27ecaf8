"""A Django app for development that plays Alguna: its HTTP API and its hosted customer portal."""
