"""Runs every code block of the documentation, or checks that the page says why it isn't run."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT, Block, find_pages, parse_blocks, read_blocks
from tests.docs.processes import run_module

# One process runs all pages, so one worker has to run these tests.
pytestmark = pytest.mark.xdist_group("docs")

BLOCKS = [block for path in find_pages() for block in read_blocks(path)]
RUN_HERE = list(dict.fromkeys(block.page for block in BLOCKS if block.is_run_here))


def run_pages(pages: dict[str, list[Block]]) -> dict[str, str]:
    """Run pages; return the problem of each, "" if it has none."""
    data = json.dumps({page: [dataclasses.asdict(block) for block in blocks] for page, blocks in pages.items()})
    done = run_module("tests.docs.page_runner", cwd=ROOT, stdin=data)
    assert done.returncode == 0, done.stderr
    problems: dict[str, str] = json.loads(done.stdout)
    return problems


@pytest.fixture(scope="module")
def problems() -> dict[str, str]:
    """The problem of each page. All pages are run once."""
    return run_pages({page: [each for each in BLOCKS if each.page == page and each.is_run_here] for page in RUN_HERE})


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_HERE)
def test_the_blocks_of_a_page_run(problems: dict[str, str], page: str) -> None:
    """The blocks run in order, in a project with the settings, URLs and files that the page names."""
    assert problems[page] == ""


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.run_by], ids=lambda each: f"{each.page}:{each.line}")
def test_the_test_named_in_a_comment_exists(block: Block) -> None:
    """The file is a test file and contains the name of the page."""
    path = ROOT / block.run_by
    assert path.name.startswith("test_")
    assert Path(block.page).name in path.read_text()


def test_blocks_that_are_not_run_have_a_reason() -> None:
    """Fewer than one block in ten isn't run."""
    not_run = [block for block in BLOCKS if block.not_run]
    assert all(len(block.not_run.split()) > 2 for block in not_run)
    counts = Counter(bool(block.not_run) for block in BLOCKS)
    assert counts[True] < counts[False] / 10


# Wrong pages, and a text that the report of each contains.
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
def wrong_page_problems() -> dict[str, str]:
    """The problem of each wrong page."""
    return run_pages({page: parse_blocks("wrong.md", page) for page in WRONG})


@pytest.mark.slow
@pytest.mark.parametrize("page", WRONG)
def test_a_wrong_block_is_reported(wrong_page_problems: dict[str, str], page: str) -> None:
    """If wrong blocks weren't reported, the tests above couldn't fail."""
    assert WRONG[page] in wrong_page_problems[page]


def test_a_comment_applies_to_the_next_block_only() -> None:
    """Blocks without a comment have the one for the whole page."""
    text = "<!-- all run by a.py -->\n```sh\n1\n```\n\n<!-- not run: why -->\n```sh\n2\n```\n\n```sh\n3\n```\n"
    comments = [(each.run_by, each.not_run) for each in parse_blocks("page.md", text)]
    assert comments == [("a.py", ""), ("", "why"), ("a.py", "")]
    assert parse_blocks("page.md", "```{note}\nSo it is.\n```\n") == []
