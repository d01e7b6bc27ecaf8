"""`manage.py runserver` of a project in a subprocess, and a user who signs in to its admin with `requests`."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import requests

START_SECONDS = 60


def get_free_port() -> int:
    """Return a port on which no server listens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_development_server(python: str, port: int, *, cwd: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Run the server; the block begins when it accepts connections. Its output is in the file `log` in `cwd`."""
    command = [python, "manage.py", "runserver", "--noreload", f"localhost:{port}"]
    with (cwd / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(10 * START_SECONDS):
                with closing(socket.socket()) as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, (cwd / "log").read_text()
                time.sleep(0.1)
            yield
        finally:
            process.kill()
            process.wait()


def create_browser() -> requests.Session:
    """Return an HTTP session that uses no proxies, because they can't reach localhost."""
    browser = requests.Session()
    browser.trust_env = False
    return browser


def sign_in_to_admin(browser: requests.Session, site: str, *, username: str, password: str) -> None:
    """Sign in with the form of Django's admin."""
    page = browser.get(f"{site}/admin/login/", timeout=60)
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    form = {"username": username, "password": password, "csrfmiddlewaretoken": token, "next": "/"}
    assert browser.post(f"{site}/admin/login/", form, headers={"Referer": page.url}, timeout=60).status_code == 200
