"""The parts of the benchmarks. `measure` returns the figures; the report contains the docstrings of the modules."""
