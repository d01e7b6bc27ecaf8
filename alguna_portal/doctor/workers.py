"""Workers: whether somebody does what is left to them."""

from django.conf import settings

from alguna_portal.conf import conf

from .context import Visit
from .report import Findings, note, ok, warning

IMMEDIATE = "immediate"  # in the names of both frameworks' backends
DUMMY = "dummy"


def look(visit: Visit) -> Findings:
    """Look at the backend that tasks go to."""
    name = "workers.backend"
    if not conf.USE_TASKS:
        yield ok(name, "Not used: mails are sent, and customers created, while people wait.")
        return
    # Both frameworks do it at once where nothing is set.
    backends = getattr(settings, "TASKS", {})
    path = str(backends.get("default", {}).get("BACKEND", IMMEDIATE))
    remedy = "Name a backend with workers in TASKS."
    if DUMMY in path.lower():
        level = note if visit.debug else warning
        yield level(name, "Tasks go to a dummy, which does nothing: no mail is ever sent.", remedy)
    elif IMMEDIATE in path.lower():
        found = "Tasks are done at once, while people wait: ALGUNA_PORTAL_USE_TASKS has no use."
        yield (ok(name, found) if visit.debug else note(name, found, remedy))
    else:
        yield ok(name, f"Tasks go to a {path.rpartition('.')[2]}. See to it that a worker runs.")
