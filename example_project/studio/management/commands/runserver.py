"""`manage.py runserver` with the port from the settings as default."""

import os
from typing import Any

from django.contrib.staticfiles.management.commands import runserver

from example_project.studio.conf import get_port, uses_sandbox


class Command(runserver.Command):
    """Serve at PORT, which is also in the sandbox's URL, and reach the sandbox without a proxy."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the server; an address on the command line has priority."""
        self.default_port = str(get_port())
        requested_port = (options["addrport"] or self.default_port).rpartition(":")[2]
        if uses_sandbox() and requested_port != self.default_port:
            self.stderr.write(
                f"Billing looks for the sandbox at port {self.default_port}; set PORT={requested_port}, too."
            )
        for name in ("no_proxy", "NO_PROXY"):
            hosts = [os.environ.get(name) or os.environ.get(name.swapcase(), ""), "localhost", "127.0.0.1"]
            os.environ[name] = ",".join(filter(None, hosts))
        super().handle(*args, **options)
