"""Modules that run in subprocesses, with Django and the parameters in `BENCHMARK`. Each prints one JSON value."""

import django

django.setup()
