"""What runs in processes of its own, Django set up, told by `BENCHMARK` in the environment; each prints one JSON."""

import django

django.setup()
