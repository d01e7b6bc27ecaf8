"""The settings: what `manage.py check` says of them."""

from django.core import checks

from alguna_portal.conf.checks import check_settings

from .context import Visit
from .report import Finding, Findings, Level, ok

# Said in groups of their own, with more to go by: a missing key, a cache that is not shared.
ELSEWHERE = ("alguna_portal.W001", "alguna_portal.W005")


def look(_visit: Visit) -> Findings:
    """Say each thing that is wrong, under the check's id."""
    said = [each for each in check_settings() if each.id not in ELSEWHERE]
    for each in said:
        yield Finding(
            name=str(each.id).replace("alguna_portal", "settings"),
            level=Level.ERROR if each.level >= checks.ERROR else Level.WARNING,
            found=each.msg,
            remedy=each.hint or "",
        )
    if not said:
        yield ok("settings.valid", "All settings can be read.")
