"""The measures, one a module: `measure` returns its figures, and the module's docstring says how they came about."""
