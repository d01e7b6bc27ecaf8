"""docs/tutorial.md, followed to the letter by somebody who has the package and nothing else."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.docs.code_blocks import ROOT, Block, blocks

pytestmark = pytest.mark.slow

STEPS = [block for block in blocks(ROOT / "docs" / "tutorial.md") if not block.not_run]
FILE = re.compile(r"(?:#|\{#) (\S+\.\w+)")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_", "COV_"))}
START_SECONDS = 60


class Reader:
    """Somebody who does what the tutorial says, step by step, on another port than 8000, which may be taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.site = f"http://localhost:{self.port}"
        self.browser = requests.Session()
        self.browser.trust_env = False  # no proxy is asked about this machine
        # By the names that the tutorial uses.
        commands = folder / "commands"
        commands.mkdir()
        (commands / "python").symlink_to(sys.executable)
        self.environment = CLEAN | {
            "PATH": f"{Path(sys.executable).parent}:{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def follow(self, step: Block) -> None:
        """Write a file, or run commands."""
        text = step.text.replace("8000", self.port)
        if step.language != "sh":
            self.write(text)
            return
        for line in text.splitlines():
            words = shlex.split(line)
            if words[0] == "cd":
                self.folder /= words[1]
            else:
                ran = subprocess.run(
                    words,
                    cwd=self.folder,
                    env=self.environment,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
                assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"

    def write(self, text: str) -> None:
        """Write the file that the first line names; settings are added to those that are there."""
        named = FILE.match(text)
        assert named, text
        path = self.folder / named[1]
        path.parent.mkdir(exist_ok=True)
        if path.name == "settings.py":
            text = f"{path.read_text()}\n{text}"
        path.write_text(text)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the server meanwhile."""
        command = ["python", "manage.py", "runserver", self.port, "--noreload"]
        with (self.folder / "output").open("w") as output:
            server = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            until = time.monotonic() + START_SECONDS
            while time.monotonic() < until and server.poll() is None:
                with suppress(requests.ConnectionError):
                    self.browser.get(self.site, timeout=10)
                    break
                time.sleep(0.1)
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(10)

    def see(self, path: str) -> requests.Response:
        """Open a page, and go wherever it leads."""
        return self.browser.get(f"{self.site}{path}", timeout=60)

    def sign_in(self) -> None:
        """Sign in as the tutorial says."""
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', self.see("/admin/login/").text)
        form = {"username": "ada", "password": "tutorial", "next": "/", "csrfmiddlewaretoken": token}
        self.browser.post(f"{self.site}/admin/login/?next=/", form, timeout=60)


@pytest.fixture
def step() -> Callable[[str], list[Block]]:
    """The steps of a section of the tutorial, by its title."""
    text = (ROOT / "docs" / "tutorial.md").read_text()

    def steps(title: str) -> list[Block]:
        begins = text[: text.index(f"\n## {title}\n")].count("\n") + 2
        rest = text.split("\n")[begins:]
        ends = begins + next((number for number, line in enumerate(rest) if line.startswith("## ")), len(rest))
        return [block for block in STEPS if begins <= block.line <= ends]

    return steps


def test_the_tutorial_works(tmp_path: Path, step: Callable[[str], list[Block]]) -> None:
    """Whoever follows it sees what it says, from the button to the bad day."""
    reader = Reader(tmp_path)
    done = []

    def follow(title: str) -> None:
        for each in step(title):
            reader.follow(each)
            done.append(each)

    for title in ("A project", "Settings", "Addresses", "A page with the button", "Who is billed"):
        follow(title)
    (runserver,) = step("Press it")
    assert runserver.text == "python manage.py runserver\n"
    done.append(runserver)
    with reader.serving():
        assert "Sign in" in reader.see("/").text
        reader.sign_in()
        assert 'href="/billing/"' in reader.see("/").text
        opened = reader.see("/billing/")
        assert opened.url.startswith(f"{reader.site}/sandbox/hs/")
        assert "Acme" in opened.text
        assert "Starter" in opened.text
        assert "Cancel subscription" in opened.text

        follow("Another plan")
        portal = reader.see("/billing/").text
        assert "Cancel subscription" not in portal
        assert "<button" in portal

        follow("Another role")
        portal = reader.see("/billing/").text
        assert "INV-" in portal
        assert "<button" not in portal

        (worse, better) = step("A bad day")
        reader.follow(worse)
        assert "/sandbox/hs/" in reader.see("/billing/").url
        assert "Billing is not available right now" in reader.see("/billing/?fresh=1").text
        reader.follow(better)
        done += [worse, better]
    assert done == STEPS
