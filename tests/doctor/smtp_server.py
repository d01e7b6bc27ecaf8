"""An SMTP server that accepts every login and records the commands."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import django
from pytest_django import Settings


class SmtpServer(socketserver.ThreadingTCPServer):
    """A server for logins only. `greeting` is the first line that it sends, `commands` are those that it received."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SmtpHandler)
        self.greeting = b"220 here\r\n"
        self.commands: list[str] = []


class SmtpHandler(socketserver.StreamRequestHandler):
    """A connection to the server."""

    server: SmtpServer

    def handle(self) -> None:
        """Respond to each command."""
        self.wfile.write(self.server.greeting)
        responses = {"EHLO": b"250-here\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 come in\r\n", "QUIT": b"221 bye\r\n"}
        for line in self.rfile:
            command = line.split()[0].decode().upper()
            self.server.commands.append(command)
            self.wfile.write(responses.get(command, b"250 yes\r\n"))


@contextmanager
def run_smtp_server() -> Iterator[SmtpServer]:
    """Run a server in a thread."""
    with SmtpServer() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def use_smtp_server(settings: Settings, server: SmtpServer) -> None:
    """Set the email backend to a server, with the settings of the Django version in use."""
    host, port = str(server.server_address[0]), int(server.server_address[1])
    backend = "django.core.mail.backends.smtp.EmailBackend"
    if django.VERSION >= (6, 1):
        options = {"host": host, "port": port, "username": "mia", "password": "let-me-in-please"}
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = backend, host, port
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "mia", "let-me-in-please"
