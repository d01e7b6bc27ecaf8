"""A mail server that lets people in, and remembers what they say."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import django
from pytest_django import Settings


class Postbox(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as it takes to come in; `greeting` is what it begins with."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.greeting = b"220 here\r\n"
        self.said: list[str] = []


class Conversation(socketserver.StreamRequestHandler):
    """One connection to it."""

    server: Postbox

    def handle(self) -> None:
        """Answer each line; anybody's password is right."""
        self.wfile.write(self.server.greeting)
        answers = {"EHLO": b"250-here\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 come in\r\n", "QUIT": b"221 bye\r\n"}
        for line in self.rfile:
            verb = line.split()[0].decode().upper()
            self.server.said.append(verb)
            self.wfile.write(answers.get(verb, b"250 yes\r\n"))


@contextmanager
def serving(server: Postbox) -> Iterator[Postbox]:
    """Serve in a thread."""
    with server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def mail_through(settings: Settings, server: Postbox) -> None:
    """Mail through a server, as this Django wants it said."""
    host, port = str(server.server_address[0]), int(server.server_address[1])
    backend = "django.core.mail.backends.smtp.EmailBackend"
    if django.VERSION >= (6, 1):
        options = {"host": host, "port": port, "username": "mia", "password": "let-me-in-please"}
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = backend, host, port
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "mia", "let-me-in-please"
