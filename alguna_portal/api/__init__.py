"""Calls to the Alguna API. Import the modules directly: `client` loads `requests`, which start-up should not."""
