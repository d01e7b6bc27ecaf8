"""The score of `make mutants`: a survivor is justified by name, or the run fails; and so it does for an idle excuse."""

import tomllib
from pathlib import Path

import pytest

from tests.mutants import JUSTIFIED, Change, Mutant, change_of, read, weigh

DIFF = """\
--- alguna_portal/links/opening.py
+++ alguna_portal/links/opening.py
@@ -1,3 +1,3 @@
 def renew(link):
-    again = make(link,
-                 note="")
+    again = make(link, )
     return again
"""
RENEW = "alguna_portal.links.opening.renew"
CHANGE = Change(
    function="alguna_portal.links.opening.renew", was='again = make(link, note="")', now="again = make(link, )"
)
JUSTIFICATION = """
[[survivors]]
function = "alguna_portal.links.opening.renew"
was = 'again = make(link, note="")'
now = ["again = make(link, )"]
why = "That is the default."
"""


def mutant(status: str, change: Change | None = CHANGE) -> Mutant:
    """Make one that has come to something."""
    return Mutant(path=Path("alguna_portal/links/opening.py"), status=status, change=change)


def test_a_mutant_is_known_by_what_it_changes() -> None:
    """Not by its number, nor by how the lines are broken; and a method with its class."""
    assert change_of("alguna_portal.links.opening.x_renew__mutmut_7", DIFF) == CHANGE
    assert (
        change_of("alguna_portal.api.client.xǁClientǁfind__mutmut_1", DIFF).function
        == "alguna_portal.api.client.Client.find"
    )


@pytest.mark.parametrize(
    ("status", "justification", "is_good", "says"),
    [
        ("killed", "survivors = []", True, "Killed: 100.0%. Killed or justified: 100.0%."),
        ("survived", JUSTIFICATION, True, "Killed: 0.0%. Killed or justified: 100.0%."),
        ("survived", "survivors = []", False, f"{RENEW}: survived"),
        ("survived", JUSTIFICATION.replace("links", "sessions"), False, f"{RENEW}: survived"),
        ("no tests", JUSTIFICATION, False, f"{RENEW}: no tests"),
        (
            "killed",
            JUSTIFICATION,
            False,
            f"{RENEW}: no survivor, but mutants.toml justifies it",
        ),
    ],
)
def test_only_what_is_killed_or_justified_passes(status: str, justification: str, is_good: bool, says: str) -> None:
    """An excuse is for what survived, and for nothing else."""
    lines, verdict = weigh([mutant(status, None if status == "killed" else CHANGE)], read(justification))
    assert verdict is is_good
    assert says in lines


def test_a_run_without_mutants_is_no_success() -> None:
    """Something went wrong before."""
    assert weigh([], {})[1] is False


def test_every_justification_has_a_reason_and_stands_once() -> None:
    """Whoever reads it can judge it."""
    entries = tomllib.loads(JUSTIFIED.read_text())["survivors"]
    justified = read(JUSTIFIED.read_text())
    assert all(len(why.split()) > 3 for why in justified.values())
    assert len(justified) == sum(len(entry["now"]) for entry in entries)
