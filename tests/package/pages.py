"""The sections that a newcomer follows, read from the pages themselves."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.package.conftest import ROOT

HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PART = re.compile(r"^(?=# (?:settings|urls)\b)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Section:
    """The blocks of a section, in order: their languages, and what is in them."""

    blocks: list[tuple[str, str]]

    def of(self, *languages: str) -> list[str]:
        """The blocks of some languages."""
        return [text for language, text in self.blocks if language in languages]

    def python(self, part: str) -> list[str]:
        """The Python that begins with a comment that says where it belongs; without one, that of `""`."""
        pieces = [piece for text in self.of("python") for piece in PART.split(text) if piece]
        return [piece for piece in pieces if (_belongs(piece) == part)]


def _belongs(piece: str) -> str:
    named = re.match(r"# (settings|urls)\b", piece, re.IGNORECASE)
    return named.group(1).lower() if named else ""


def section(page: Path, title: str) -> Section | None:
    """Find a section by its title, at whatever level; it ends at the next heading, of whatever level."""
    text = page.read_text()
    # Comments of shells and of Python look like headings.
    blank = FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    headings = list(HEADING.finditer(blank))
    for number, heading in enumerate(headings):
        if heading.group(1) == title:
            end = headings[number + 1].start() if number + 1 < len(headings) else len(text)
            return Section(blocks=BLOCK.findall(text[heading.end() : end]))
    return None


def pages_with(title: str) -> dict[str, Section]:
    """Find the pages of the repository that have a section of this title."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = {str(page.relative_to(ROOT)): section(page, title) for page in pages}
    return {page: each for page, each in found.items() if each}
