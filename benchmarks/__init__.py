"""What alguna_portal costs, measured side by side with what it is weighed against; `make bench` writes it down."""
