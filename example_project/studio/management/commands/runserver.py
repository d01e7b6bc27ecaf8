"""`manage.py runserver`, on the port that the settings know."""

import os
from typing import Any

from django.contrib.staticfiles.management.commands import runserver

from example_project.studio.conf import port, uses_sandbox


class Command(runserver.Command):
    """Serve at PORT, where the sandbox is looked for, and let no proxy stand between the two."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the server; an address given by hand still wins."""
        self.default_port = str(port())
        asked_for = (options["addrport"] or self.default_port).rpartition(":")[2]
        if uses_sandbox() and asked_for != self.default_port:
            self.stderr.write(f"Billing looks for the sandbox at port {self.default_port}; set PORT={asked_for}, too.")
        for name in ("no_proxy", "NO_PROXY"):
            hosts = [os.environ.get(name) or os.environ.get(name.swapcase(), ""), "localhost", "127.0.0.1"]
            os.environ[name] = ",".join(filter(None, hosts))
        super().handle(*args, **options)
