"""Settings of the served sandbox: those of the tests with a database file and without rate limit."""

import os
from typing import Any

from tests.settings import *  # noqa: F403

DEBUG = True
database: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": os.environ["SANDBOX_DATABASE"],
    # The data needn't survive a crash.
    "OPTIONS": {"timeout": 30, "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"},
}
DATABASES = {"default": database}
# The tests exceed the default rate limit.
ALGUNA_SANDBOX_REQUESTS_PER_SECOND = 0
