"""docs/tutorial.md works if a reader follows it exactly."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.docs.code_blocks import ROOT, Block, read_blocks, read_section
from tests.docs.processes import CLEAN_ENV
from tests.support.development_server import create_browser, get_free_port, run_development_server, sign_in_to_admin

pytestmark = pytest.mark.slow

TUTORIAL = ROOT / "docs" / "tutorial.md"
STEPS = [block for block in read_blocks(TUTORIAL) if not block.not_run]
FILE_NAME = re.compile(r"(?:#|\{#) (\S+\.\w+)")


class Reader:
    """Follows the tutorial step by step, on a free port instead of 8000."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = get_free_port()
        self.site = f"http://localhost:{self.port}"
        self.steps_done: list[Block] = []
        # The tutorial calls Python `python`.
        (folder / "commands").mkdir()
        (folder / "commands" / "python").symlink_to(sys.executable)
        self.env = CLEAN_ENV | {
            "PATH": f"{Path(sys.executable).parent}:{folder / 'commands'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def follow_section(self, title: str) -> None:
        """Follow all steps of a section."""
        for step in self.read_steps(title):
            self.follow(step)

    def read_steps(self, title: str) -> list[Block]:
        """Return the steps of a section."""
        return [step for step in read_section(TUTORIAL, title) if not step.not_run]

    def follow(self, step: Block) -> None:
        """Write the file or run the commands of a step."""
        self.steps_done.append(step)
        text = step.text.replace("8000", str(self.port))
        if step.language != "sh":
            self.write_file(text)
            return
        for line in text.splitlines():
            words = shlex.split(line)
            if words[0] == "cd":
                self.folder /= words[1]
            else:
                done = subprocess.run(
                    words, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False
                )
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    def write_file(self, text: str) -> None:
        """Write the file that the first line names. Settings are appended to the existing ones."""
        match = FILE_NAME.match(text)
        assert match, text
        path = self.folder / match[1]
        path.parent.mkdir(exist_ok=True)
        if path.name == "settings.py":
            text = f"{path.read_text()}\n{text}"
        path.write_text(text)


def test_the_tutorial_works(tmp_path: Path) -> None:
    """The pages show what the tutorial says, from the button to the simulated outage."""
    reader, browser = Reader(tmp_path), create_browser()

    def open_page(path: str) -> requests.Response:
        return browser.get(f"{reader.site}{path}", timeout=60)

    for title in ("A project", "Settings", "Addresses", "A page with the button", "Who is billed"):
        reader.follow_section(title)
    (runserver,) = reader.read_steps("Press it")
    assert runserver.text == "python manage.py runserver\n"
    reader.steps_done.append(runserver)
    with run_development_server(sys.executable, reader.port, cwd=reader.folder, env=reader.env):
        assert "Sign in" in open_page("/").text
        sign_in_to_admin(browser, reader.site, username="ada", password="tutorial")
        assert 'href="/billing/"' in open_page("/").text
        portal = open_page("/billing/")
        assert portal.url.startswith(f"{reader.site}/sandbox/hs/")
        assert "Acme" in portal.text
        assert "Starter" in portal.text
        assert "Cancel subscription" in portal.text

        reader.follow_section("Another plan")
        text = open_page("/billing/").text
        assert "Cancel subscription" not in text
        assert "<button" in text

        reader.follow_section("Another role")
        text = open_page("/billing/").text
        assert "INV-" in text
        assert "<button" not in text

        start_outage, end_outage = reader.read_steps("A bad day")
        reader.follow(start_outage)
        assert "/sandbox/hs/" in open_page("/billing/").url
        assert "Billing is not available right now" in open_page("/billing/?fresh=1").text
        reader.follow(end_outage)
    assert reader.steps_done == STEPS
