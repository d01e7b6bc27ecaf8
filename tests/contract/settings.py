"""The settings of the served sandbox: the tests' own, its state in a file of its own, and no rate limit."""

import os
from typing import Any

from tests.settings import *  # noqa: F403

DEBUG = True
database: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": os.environ["SANDBOX_DATABASE"],
    # Nothing here is worth a wait for the disk.
    "OPTIONS": {"timeout": 30, "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"},
}
DATABASES = {"default": database}
# Tests ask faster than Alguna allows.
ALGUNA_SANDBOX_REQUESTS_PER_SECOND = 0
