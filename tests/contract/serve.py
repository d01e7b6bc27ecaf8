"""Serve the sandbox on a free local port, and print the port. Run in a separate process."""

import sys

import django
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application


class Handler(WSGIRequestHandler):
    """Disables Nagle's algorithm, which would delay each body by 40 ms, because Django sends it after the headers."""

    disable_nagle_algorithm = True


django.setup()
call_command("migrate", "alguna_sandbox", verbosity=0)
# The server of `runserver`, without its reloader and system checks.
server = ThreadedWSGIServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.set_app(get_wsgi_application())
sys.stdout.write(f"{server.server_port}\n")
sys.stdout.flush()
server.serve_forever()
