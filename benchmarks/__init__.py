"""Benchmarks of alguna_portal, compared with a handwritten view and the SDK. `make bench` writes the report."""
