"""HTTP servers that misbehave, on real sockets."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from time import sleep

Behave = Callable[[socket.socket], None]

GOOD_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def run_server(behave: Behave) -> Iterator[str]:
    """Run a server that treats every connection in the same way; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=_accept, args=(listener, behave), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _accept(listener: socket.socket, behave: Behave) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            Thread(target=_serve, args=(connection, behave), daemon=True).start()


def _serve(connection: socket.socket, behave: Behave) -> None:
    with connection, suppress(OSError):
        connection.recv(65536)
        behave(connection)


def hang(connection: socket.socket) -> None:
    """Send nothing for 30 seconds."""
    sleep(30)


def drip_body(connection: socket.socket) -> None:
    """Send the body byte by byte without long pauses, for half a minute."""
    connection.sendall(GOOD_HEAD + b"Content-Length: 600\r\n\r\n{")
    for _ in range(598):
        sleep(0.05)
        connection.sendall(b" ")
    connection.sendall(b"}")


def drip_head(connection: socket.socket) -> None:
    """Send the headers byte by byte, for half a minute."""
    for byte in GOOD_HEAD + b"X-Long: " + b"x" * 500:
        sleep(0.05)
        connection.sendall(bytes([byte]))
    connection.sendall(b"\r\nContent-Length: 2\r\n\r\n{}")


def answer_garbage(connection: socket.socket) -> None:
    """Send a response that isn't HTTP."""
    connection.sendall(b"\x00\xff220 mail.example.com ESMTP\r\n")


def reset_in_body(connection: socket.socket) -> None:
    """Reset the connection in the middle of the body."""
    connection.sendall(GOOD_HEAD + b'Content-Length: 500\r\n\r\n{"id": "')
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def close_at_once(connection: socket.socket) -> None:
    """Close the connection without a response."""


def flood(connection: socket.socket) -> None:
    """Send a very large body."""
    connection.sendall(GOOD_HEAD + b"Content-Length: 50000000\r\n\r\n" + b'{"a": "')
    for _ in range(500):
        connection.sendall(b"x" * 100_000)


def bomb(connection: socket.socket) -> None:
    """Send a small compressed body that expands to 50 MB."""
    import zlib

    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = compressor.compress(b" " * 50_000_000) + compressor.flush()
    connection.sendall(GOOD_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
