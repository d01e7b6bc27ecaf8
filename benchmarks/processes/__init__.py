"""Scripts that run in their own process. Their order is in the environment variable `BENCHMARK`; they print JSON."""

import django

django.setup()
