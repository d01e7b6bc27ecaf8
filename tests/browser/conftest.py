"""A real browser, and the example served as `make demo` serves it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, Response, Route, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / ".screenshots"
START_SECONDS = 120

# Chromium's messages about blocked resources.
FORBIDDEN = re.compile("Content Security Policy|Refused to")
REPORT = """
addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sourceFile, sample, documentURI }) =>
    window.report?.(`${effectiveDirective} forbids ${blockedURI} ${sample} (${sourceFile}) on ${documentURI}`))
"""

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

Shell = Callable[[str], str]
Mail = Callable[..., str]

SEND = """
from alguna_portal.links import get_link_url, send_link
from alguna_portal.models import Customer
link = send_link(Customer.objects.get(alias={alias!r}), role={role!r}, note={note!r})
print(get_link_url(link))
"""


# Per module, because no other event loop can run in this process while Playwright's is running.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. If it isn't installed, skip the tests, or fail in CI."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing = "CHROMIUM IS NOT INSTALLED: no page was looked at. On Debian: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a new browser context."""
    with window(browser) as page:
        yield page


@pytest.fixture
def arabic_page(browser: Browser) -> Iterator[Page]:
    """A page in a new browser context with Arabic as language."""
    with window(browser, locale="ar") as page:
        yield page


@contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open a page. JavaScript errors and CSP violations fail the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce", **options)
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda message: faults.append(message.text) if FORBIDDEN.search(message.text) else None)
    context.on("response", lambda response: faults.extend(unprotected(response)))
    # The browser also fires an event, which doesn't depend on the wording of messages.
    context.expose_function("report", lambda violated: faults.append(violated))
    context.add_init_script(REPORT)
    try:
        yield context.new_page()
    except BaseException as failure:
        # A CSP violation may be the cause.
        failure.add_note(f"What scripts failed at, and what the policy forbade: {faults}")
        raise
    finally:
        context.close()
    assert faults == []


def unprotected(response: Response) -> list[str]:
    """Return the URLs of pages without a CSP."""
    # django-csp doesn't add a policy to Django's debug pages.
    spared = response.status in (404, 500) or not response.request.is_navigation_request()
    return [] if spared or "content-security-policy" in response.headers else [f"no policy: {response.url}"]


def under_policy(page: Page, pattern: str) -> None:
    """Add the CSP that responses have outside DEBUG."""

    def answer(route: Route) -> None:
        response = route.fetch(max_redirects=0)
        route.fulfill(response=response, headers={"content-security-policy": POLICY} | response.headers)

    page.route(pattern, answer)


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the demo's data."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def demo(demo_folder: Path) -> Iterator[str]:
    """The URL of the demo with its sandbox."""
    with served(demo_folder) as address:
        yield address


@pytest.fixture
def demo_shell(demo: str, demo_folder: Path) -> Shell:
    """Run Python code in the demo's project; return its output."""

    def run(code: str) -> str:
        command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
        env = environment(demo_folder) | {"PORT": demo.rpartition(":")[2]}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def mailed(demo_shell: Shell) -> Mail:
    """Mail a link to a customer's portal; return its URL."""

    def send(alias: str = "company-2", role: str = "manager", note: str = "") -> str:
        return demo_shell(SEND.format(alias=alias, role=role, note=note))

    return send


@pytest.fixture(scope="session")
def demo_without_alguna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a demo whose Alguna can't be reached."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        elsewhere = {
            "ALGUNA_PORTAL_API_KEY": "key_1.secret",
            "ALGUNA_PORTAL_API_URL": f"http://127.0.0.1:{nobody.getsockname()[1]}",
        }
        with served(tmp_path_factory.mktemp("down"), **elsewhere) as address:
            yield address


@contextmanager
def served(folder: Path, **variables: str) -> Iterator[str]:
    """Run `make demo` on a free port with an empty database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(
            ["make", "demo", f"PORT={port}", f"VENV={sys.prefix}"],
            cwd=ROOT,
            env=environment(folder) | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            address = f"http://localhost:{port}"
            _wait_for(address, process, folder / "output")
            yield address
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the demo, without the developer's settings."""
    ours = ("ALGUNA_", "DJANGO_", "COV_", "EMAIL_URL")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return inherited | {
        "ENV_FILE": str(folder / "none"),
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "MAILBOX": str(folder / "mail"),
    }


def _wait_for(address: str, process: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            requests.get(address, timeout=2)
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"`make demo` does not answer at {address}:\n{output.read_text()}")
