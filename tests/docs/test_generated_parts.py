"""What is made of the reference from the code is in its pages, up to date, beside what is written by hand."""

from typing import Any

import pytest

from tests.docs.code_blocks import ROOT

REFERENCE = ROOT / "docs" / "reference"
MADE = ("settings", "checks", "signals", "events", "exceptions", "tags", "commands", "models", "urls")


@pytest.mark.parametrize("name", MADE)
def test_a_page_says_what_the_code_says(generator: Any, name: str) -> None:
    """It is read in the repository, where nobody makes it anew."""
    text = (REFERENCE / f"{name}.md").read_text()
    assert text == generator.renewed(name, text), f"Run `make reference`: {name}.md is not what the code says."


def test_all_that_is_made_is_compared(generator: Any) -> None:
    """And `make reference` writes the pages that the tests read."""
    assert tuple(generator.MADE) == MADE
    assert [generator.of(name) for name in MADE] == [REFERENCE / f"{name}.md" for name in MADE]


def test_what_is_written_by_hand_stays(generator: Any) -> None:
    """Before and after the part that is made; a page without the marks is refused, rather than lost."""
    by_hand = f"# Events\n\n{generator.BEGIN}\nobsolete\n\n{generator.END}\nAnd so on.\n"
    made = generator.renewed("events", by_hand)
    assert made.startswith(f"# Events\n\n{generator.BEGIN}\n")
    assert made.endswith(f"\n\n{generator.END}\nAnd so on.\n")
    assert "portal_opened" in made
    assert "obsolete" not in made
    for text in ("# Events\n", f"# Events\n{generator.BEGIN}"):
        with pytest.raises(LookupError, match=r"events\.md lacks the marks"):
            generator.renewed("events", text)
