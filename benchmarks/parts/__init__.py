"""The benchmarks, one in each module: `measure` returns its figures, the docstring describes the method."""
