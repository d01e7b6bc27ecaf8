"""A small SaaS that shows alguna_portal at work."""
