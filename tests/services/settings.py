"""The settings of a worker process: the tests' own, with the cache and the address that it is told."""

import json
import os

from tests.settings import *  # noqa: F403

WORKER = json.loads(os.environ["WORKER"])
CACHES = {"default": WORKER["cache"]}
DATABASES = {"default": WORKER["database"]}
ALGUNA_PORTAL_API_URL = WORKER["api_url"]
ALGUNA_PORTAL_URL_HOSTS = ["portal.alguna.io"]
ALGUNA_PORTAL_SESSION_REUSE = "customer"
for name, value in WORKER["settings"].items():
    globals()[name] = value
