"""The pure engine of the sandbox: behaves like the Alguna API. Doesn't import Django."""
