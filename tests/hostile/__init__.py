"""Security tests: attacks against the views, the admin, emails and logs."""
