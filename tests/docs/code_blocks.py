"""The blocks of code in the pages of the documentation, and what is said of each in a comment before it.

    <!-- run by tests/views/test_csp.py -->  another test takes the block from the page, and runs it
    <!-- all run by tests/views/test_csp.py -->  so for all blocks of the page without a comment of their own
    <!-- not run: needs your account -->    nobody does, and why
    <!-- run                                not seen by readers: code that comes between the blocks, or a file
    assert acme.plan == "enterprise"        of the project if its first line says so
    -->

What has no comment is run here, by `running`. Directives of Sphinx (```{note}) are no code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]
# Not ours to change: a list of versions, which another page's text explains.
WITHOUT_CODE = {"docs/security-audit.md"}

FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
HIDDEN = re.compile(r"^<!-- run\n(?P<text>.*?)^-->$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (run by|not run:) ([^\n]+) -->\n\s*\Z")
FOR_ALL = re.compile(r"^<!-- all run by (\S+) -->$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block: where it begins, what it is written in, and who runs it or why nobody does."""

    page: str
    line: int
    language: str
    text: str
    run_by: str = ""
    not_run: str = ""

    @property
    def is_run_here(self) -> bool:
        """Say whether `running` is to run it."""
        return not (self.run_by or self.not_run)


def pages() -> list[Path]:
    """Find all pages: those of the site, and those at the root."""
    rooted = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [path for path in (*sorted((ROOT / "docs").rglob("*.md")), *rooted) if path.is_file()]


def blocks(path: Path) -> list[Block]:
    """Read the blocks of a page, hidden ones included, in their order."""
    name = str(path.relative_to(ROOT))
    return [] if name in WITHOUT_CODE else blocks_in(name, path.read_text())


def blocks_in(name: str, text: str) -> list[Block]:
    """Read the blocks of a page's text."""
    return sorted(_found(name, text), key=lambda block: block.line)


def _found(name: str, text: str) -> Iterator[Block]:
    for_all = FOR_ALL.search(text)
    for found in HIDDEN.finditer(text):
        yield Block(page=name, line=_line(text, found.start("text")), language="python", text=found["text"])
    for found in FENCE.finditer(text):
        language = found["language"].strip()
        if language.startswith("{"):
            continue
        marked = MARK.search(text[: found.start()])
        kind, said = (marked[1], marked[2]) if marked else ("", "")
        yield Block(
            page=name,
            line=_line(text, found.start("text")),
            language=language,
            text=dedent(found["text"]),
            run_by=said if kind == "run by" else for_all[1] if for_all and not kind else "",
            not_run=said if kind == "not run:" else "",
        )


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
