"""The generated parts of the reference pages are up to date, and the generator keeps the handwritten parts."""

from typing import Any

import pytest

from tests.docs.code_blocks import ROOT

REFERENCE = ROOT / "docs" / "reference"
PAGES = ("settings", "checks", "signals", "events", "exceptions", "tags", "commands", "models", "urls")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(generator: Any, name: str) -> None:
    """The generated text is committed, because the pages are also read in the repository."""
    text = (REFERENCE / f"{name}.md").read_text()
    assert text == generator.update_page(name, text), f"Run `make reference`: {name}.md differs from the code."


def test_all_generated_pages_are_compared(generator: Any) -> None:
    assert tuple(generator.RENDERERS) == PAGES
    assert [generator.get_path(name) for name in PAGES] == [REFERENCE / f"{name}.md" for name in PAGES]


def test_handwritten_text_is_kept(generator: Any) -> None:
    """A page without the marks around its generated part is refused, so that nothing is overwritten."""
    page = f"# Events\n\n{generator.BEGIN}\nobsolete\n\n{generator.END}\nAnd so on.\n"
    updated = generator.update_page("events", page)
    assert updated.startswith(f"# Events\n\n{generator.BEGIN}\n")
    assert updated.endswith(f"\n\n{generator.END}\nAnd so on.\n")
    assert "portal_opened" in updated
    assert "obsolete" not in updated
    for text in ("# Events\n", f"# Events\n{generator.BEGIN}"):
        with pytest.raises(LookupError, match=r"events\.md lacks the marks"):
            generator.update_page("events", text)
