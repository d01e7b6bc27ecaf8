"""Serve the sandbox on a free port of this machine and print the port; a program of its own."""

import sys

import django
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application


class Handler(WSGIRequestHandler):
    """Django's, which sends head and body apart: without this, the body waits 40 ms for the head's receipt."""

    disable_nagle_algorithm = True


django.setup()
call_command("migrate", "alguna_sandbox", verbosity=0)
# The server of `runserver`, without its reloader and its checks.
server = ThreadedWSGIServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.set_app(get_wsgi_application())
sys.stdout.write(f"{server.server_port}\n")
sys.stdout.flush()
server.serve_forever()
