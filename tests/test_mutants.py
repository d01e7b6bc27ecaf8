"""The mutation score fails for survivors without a justification, and for justifications that no survivor needs."""

import tomllib
from pathlib import Path

import pytest

from tests.mutants import JUSTIFICATIONS, Change, Mutant, create_report, parse_diff, parse_justifications

DIFF = """\
--- alguna_portal/links/sending.py
+++ alguna_portal/links/sending.py
@@ -1,3 +1,3 @@
 def renew(link):
-    again = make(link,
-                 note="")
+    again = make(link, )
     return again
"""
RENEW = "alguna_portal.links.sending.renew"
CHANGE = Change(
    function="alguna_portal.links.sending.renew", was='again = make(link, note="")', now="again = make(link, )"
)
JUSTIFICATION = """
[[survivors]]
function = "alguna_portal.links.sending.renew"
was = 'again = make(link, note="")'
now = ["again = make(link, )"]
why = "That is the default."
"""


def create_mutant(status: str, change: Change | None = CHANGE) -> Mutant:
    """Return a mutant with a status."""
    return Mutant(path=Path("alguna_portal/links/sending.py"), status=status, change=change)


def test_a_mutant_is_identified_by_its_change() -> None:
    """The number of the mutant and line breaks don't matter. A method is named with its class."""
    assert parse_diff("alguna_portal.links.sending.x_renew__mutmut_7", DIFF) == CHANGE
    assert (
        parse_diff("alguna_portal.api.client.xǁClientǁfind__mutmut_1", DIFF).function
        == "alguna_portal.api.client.Client.find"
    )


@pytest.mark.parametrize(
    ("status", "justification", "is_good", "message"),
    [
        ("killed", "survivors = []", True, "Killed: 100.0%. Killed or justified: 100.0%."),
        ("survived", JUSTIFICATION, True, "Killed: 0.0%. Killed or justified: 100.0%."),
        ("survived", "survivors = []", False, f"{RENEW}: survived"),
        ("survived", JUSTIFICATION.replace("links", "sessions"), False, f"{RENEW}: survived"),
        ("no tests", JUSTIFICATION, False, f"{RENEW}: no tests"),
        ("killed", JUSTIFICATION, False, f"{RENEW}: no survivor, but mutants.toml justifies it"),
    ],
)
def test_only_killed_and_justified_mutants_pass(status: str, justification: str, is_good: bool, message: str) -> None:
    """Only a mutant that survived can be justified."""
    mutant = create_mutant(status, None if status == "killed" else CHANGE)
    lines, result = create_report([mutant], parse_justifications(justification))
    assert result is is_good
    assert message in lines


def test_a_run_without_mutants_fails() -> None:
    assert create_report([], {})[1] is False


def test_every_justification_has_a_reason_and_is_unique() -> None:
    entries = tomllib.loads(JUSTIFICATIONS.read_text())["survivors"]
    justified = parse_justifications(JUSTIFICATIONS.read_text())
    assert all(len(why.split()) > 3 for why in justified.values())
    assert len(justified) == sum(len(entry["now"]) for entry in entries)
