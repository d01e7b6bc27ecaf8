"""Every block of code in the documentation is run, or says why it is not."""

import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT, Block, blocks, blocks_in, pages

# One process runs all pages; so one worker asks for them.
pytestmark = pytest.mark.xdist_group("docs")

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_", "COV_"))}
ALL = [block for path in pages() for block in blocks(path)]
RUN_HERE = list(dict.fromkeys(block.page for block in ALL if block.is_run_here))


def run(asked: dict[str, list[Block]]) -> dict[str, str]:
    """Run pages; return what went wrong on each."""
    told = {page: [dataclasses.asdict(block) for block in of_page] for page, of_page in asked.items()}
    command = [sys.executable, "-W", "error", "-m", "tests.docs.page_runner"]
    ran = subprocess.run(
        command, cwd=ROOT, env=CLEAN, input=json.dumps(told), capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    problems: dict[str, str] = json.loads(ran.stdout)
    return problems


@pytest.fixture(scope="module")
def problems() -> dict[str, str]:
    """What went wrong on each page, all of them having been run once."""
    return run({page: [block for block in ALL if block.page == page and block.is_run_here] for page in RUN_HERE})


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_HERE)
def test_the_blocks_of_a_page_run(problems: dict[str, str], page: str) -> None:
    """In their order, in a project with the settings, URLs and files that the page names."""
    assert problems[page] == ""


@pytest.mark.parametrize("block", [each for each in ALL if each.run_by], ids=lambda each: f"{each.page}:{each.line}")
def test_who_is_said_to_run_a_block_is_there(block: Block) -> None:
    """A test file that reads the page: it names it."""
    path = ROOT / block.run_by
    assert path.name.startswith("test_")
    assert Path(block.page).name in path.read_text()


def test_what_is_not_run_says_why() -> None:
    """And there is little of it."""
    not_run = [block for block in ALL if block.not_run]
    assert all(len(block.not_run.split()) > 2 for block in not_run)
    counts = Counter(bool(block.not_run) for block in ALL)
    assert counts[True] < counts[False] / 10


# Pages that are wrong, and what is said of each.
WRONG = {
    "```python\nassert user.username == 'eve'\n```\n": "AssertionError",
    "```python\nfrom alguna_portal import nothing\n```\n": "ImportError",
    '```python\nALGUNA_PORTAL_SESSION_REUSE = "often"\n```\n': "alguna_portal.E011",
    "```python\n# my_app/wrong.py\n1 / 0\n```\n<!-- run\nimport my_app.wrong\n-->\n": "ZeroDivisionError",
    "<!-- run\nassert not user\n-->\n": "AssertionError",
    "1. A list:\n\n   ```python\n   1 / 0\n   ```\n": "ZeroDivisionError",
    "```sh\npython manage.py alguna_prune --days 0\n```\n": "CommandError",
    "```sh\npython manage.py alguna_profit\n```\n": "CommandError",
    "```sh\nmake money\n```\n": "CalledProcessError",
    "```sh\npython -c 'import money'\n```\n": "CalledProcessError",
    "```sh\npython manage.py shell -c \\\n'1 / 0'\n```\n": "ZeroDivisionError",
    '```sh\npip install "alguna_portal[wings]"\n```\n': "LookupError",
    "```sh\ncurl https://example.com\n```\n": "LookupError",
    "```json\n{]\n```\n": "JSONDecodeError",
    "```django\n{% load alguna_portal %}{% billing_buttn %}\n```\n": "TemplateSyntaxError",
    "```django\n{% load alguna_portal %}{% billing_button %}\n```\n": "AssertionError",
    "```\nWhat is this?\n```\n": "LookupError",
}


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """What is said of each of the pages above."""
    return run({page: blocks_in("wrong.md", page) for page in WRONG})


@pytest.mark.slow
@pytest.mark.parametrize("page", WRONG)
def test_a_wrong_block_is_found(found: dict[str, str], page: str) -> None:
    """Else the tests above would say nothing."""
    assert WRONG[page] in found[page]


def test_a_mark_counts_for_the_block_that_follows() -> None:
    """And for no other, but for the one that is said of all."""
    text = "<!-- all run by a.py -->\n```sh\n1\n```\n\n<!-- not run: why -->\n```sh\n2\n```\n\n```sh\n3\n```\n"
    assert [(each.run_by, each.not_run) for each in blocks_in("page.md", text)] == [
        ("a.py", ""),
        ("", "why"),
        ("a.py", ""),
    ]
    assert blocks_in("page.md", "```{note}\nSo it is.\n```\n") == []
