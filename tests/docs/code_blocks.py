"""Parser for the code blocks of the documentation and for the comments that say which test runs each block.

    <!-- run by tests/views/test_csp.py -->  another test reads the block from the page and runs it
    <!-- all run by tests/views/test_csp.py -->  the same for all blocks of the page without a comment
    <!-- not run: needs your account -->    no test runs the block, with the reason
    <!-- run                                hidden code that runs between the visible blocks; if its first line
    assert acme.plan == "enterprise"        names a file, the block is written to that file of the project
    -->

`page_runner` runs all blocks without a comment. Sphinx directives (```{note}) aren't code blocks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]
# It has a list of versions in a code block. Another page explains them.
WITHOUT_CODE = {"docs/security-audit.md"}

FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
HIDDEN = re.compile(r"^<!-- run\n(?P<text>.*?)^-->$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (run by|not run:) ([^\n]+) -->\n\s*\Z")
MARK_FOR_ALL = re.compile(r"^<!-- all run by (\S+) -->$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One code block with the line it starts on, and the test that runs it or the reason why no test does."""

    page: str
    line: int
    language: str
    text: str
    run_by: str = ""
    not_run: str = ""

    @property
    def is_run_here(self) -> bool:
        """Whether `page_runner` runs the block."""
        return not (self.run_by or self.not_run)


def find_pages() -> list[Path]:
    """Return the pages of the site and those in the root of the repository."""
    in_root = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [path for path in (*sorted((ROOT / "docs").rglob("*.md")), *in_root) if path.is_file()]


def read_blocks(path: Path) -> list[Block]:
    """Return the blocks of a page in order, including the hidden ones."""
    name = str(path.relative_to(ROOT))
    return [] if name in WITHOUT_CODE else parse_blocks(name, path.read_text())


def read_section(path: Path, title: str) -> list[Block]:
    """Return the blocks between a heading of any level and the next heading, or nothing if the title isn't found."""
    text = path.read_text()
    # Comments in shell and Python code look like headings.
    without_code = FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    headings = {match[1]: _line(text, match.start()) for match in HEADING.finditer(without_code)}
    if title not in headings:
        return []
    start = headings[title]
    end = min((line for line in headings.values() if line > start), default=text.count("\n") + 2)
    return [block for block in read_blocks(path) if start < block.line < end]


def parse_blocks(name: str, text: str) -> list[Block]:
    """Return the blocks of a page's text in order."""
    return sorted(_iterate_blocks(name, text), key=lambda block: block.line)


def _iterate_blocks(name: str, text: str) -> Iterator[Block]:
    for_all = MARK_FOR_ALL.search(text)
    for match in HIDDEN.finditer(text):
        yield Block(page=name, line=_line(text, match.start("text")), language="python", text=match["text"])
    for match in FENCE.finditer(text):
        language = match["language"].strip()
        if language.startswith("{"):
            continue
        mark = MARK.search(text[: match.start()])
        kind, value = (mark[1], mark[2]) if mark else ("", "")
        yield Block(
            page=name,
            line=_line(text, match.start("text")),
            language=language,
            text=dedent(match["text"]),
            run_by=value if kind == "run by" else for_all[1] if for_all and not kind else "",
            not_run=value if kind == "not run:" else "",
        )


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
