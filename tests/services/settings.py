"""Settings of a worker process: the tests' settings with another cache, database and API URL."""

import json
import os

from tests.settings import *  # noqa: F403

WORKER = json.loads(os.environ["WORKER"])
CACHES = {"default": WORKER["cache"]}
DATABASES = {"default": WORKER["database"]}
ALGUNA_PORTAL_API_URL = WORKER["api_url"]
ALGUNA_PORTAL_URL_HOSTS = ["portal.alguna.io"]
ALGUNA_PORTAL_SESSION_REUSE = "customer"
# The database has no tables.
ALGUNA_PORTAL_AUDIT = False
for name, value in WORKER["settings"].items():
    globals()[name] = value
