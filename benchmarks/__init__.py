"""Benchmarks of alguna_portal against alternatives; `make bench` writes docs/benchmarks.md."""
