"""Findings of the doctor's checks and their output: levels, text, JSON, and redaction of secrets."""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from textwrap import TextWrapper
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.core.management.color import Style

from alguna_portal import __version__


class Level(StrEnum):
    """The severity of a finding, in ascending order."""

    OK = "ok"
    NOTE = "note"  # nothing has to be done
    SKIPPED = "skipped"  # could not be checked
    WARNING = "warning"  # works, but not for all users or not permanently
    ERROR = "error"  # does not work


@dataclass(frozen=True)
class Finding:
    """The result of a check. `name` is stable, `found` is the description, `remedy` says what to do, if anything."""

    name: str
    level: Level = field(kw_only=True)
    found: str
    remedy: str = ""


Findings = Iterator[Finding]

ok = partial(Finding, level=Level.OK)
note = partial(Finding, level=Level.NOTE)
skipped = partial(Finding, level=Level.SKIPPED)
warning = partial(Finding, level=Level.WARNING)
error = partial(Finding, level=Level.ERROR)

FORMAT = 1  # of the JSON; increased if a change could break programs that read it
NOUNS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "note"}
STYLES = {Level.OK: "SUCCESS", Level.NOTE: "MIGRATE_LABEL", Level.WARNING: "WARNING", Level.ERROR: "ERROR"}
WIDTH = 79
MARGIN = 2 + len(Level.WARNING) + 2

# KEY_PREFIX, of caches and of the cache middleware, is usually an ordinary word.
SECRET_NAME = re.compile(r"KEY(?!_PREFIX$)|SECRET|PASS|TOKEN|SIGNATURE|CREDENTIAL|DSN", re.IGNORECASE)
# Shorter secrets aren't redacted. Plain words have to be longer, since our own texts contain “secret” and “portal”.
MIN_LENGTH, MIN_WORD_LENGTH = 4, 8
HIDDEN = "[secret]"


@dataclass(kw_only=True)
class Report:
    """All findings, with the names of their checks. `fail_level` is the lowest level that counts as a failure."""

    fail_level: Level
    findings: list[tuple[str, Finding]] = field(default_factory=list)

    @property
    def counts(self) -> dict[Level, int]:
        """The number of findings of each level, including zeros."""
        counts = Counter(finding.level for _check, finding in self.findings)
        return {level: counts[level] for level in Level}

    @property
    def failed(self) -> bool:
        """Whether the level of any finding is `fail_level` or higher."""
        levels = list(Level)
        return any(self.counts[level] for level in levels[levels.index(self.fail_level) :])

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON output."""
        return {
            "format": FORMAT,
            "version": __version__,
            "failed": self.failed,
            "fail_level": self.fail_level,
            "counts": self.counts,
            "findings": [{"examination": check, **asdict(finding)} for check, finding in self.findings],
        }


def format_count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: “1 customer”, “1,250 customers”."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def format_list(names: list[str], limit: int = 5) -> str:
    """Join the first names with commas, and add the number of names that were left out."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def render_findings(title: str, findings: list[Finding], style: Style) -> str:
    """Return the findings of one check as text, below a title."""
    lines = [style.MIGRATE_HEADING(title), *(_render_finding(finding, style) for finding in findings)]
    return "\n".join([*lines, "", ""])


def render_summary(counts: Mapping[Level, int]) -> str:
    """Return the numbers of findings as one sentence."""
    problems = [format_count(counts[level], noun) for level, noun in NOUNS.items() if counts[level]]
    rest = f"{counts[Level.OK]:,} in order" + (f", {counts[Level.SKIPPED]:,} skipped" * bool(counts[Level.SKIPPED]))
    return f"{', '.join(problems) or 'Nothing is wrong'}; {rest}."


def _render_finding(finding: Finding, style: Style) -> str:
    found = finding.found if finding.level is Level.OK else f"{finding.found} [{finding.name}]"
    lines = _wrap(found, prefix="")
    if finding.remedy:
        lines += "\n" + _wrap(finding.remedy, prefix="→ ")
    # The level is added after wrapping, since the escape sequences of its colour have no width.
    level = getattr(style, STYLES.get(finding.level, ""), str)(finding.level.value)
    return f"  {level}{lines[2 + len(finding.level) :]}"


def _wrap(text: str, *, prefix: str) -> str:
    indent = " " * MARGIN + prefix
    # URLs and names must stay in one piece.
    wrapper = TextWrapper(WIDTH, indent, " " * len(indent), break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(text)


def create_redactor() -> Callable[[str], str]:
    """Return a function that replaces every secret in the current settings by `HIDDEN`."""
    forms: set[str] = set()
    for secret in _find_settings_secrets():
        forms |= {secret, quote(secret, safe=""), repr(secret)[1:-1], secret.removeprefix("whsec_")}
        forms.add(secret.rpartition(".")[2])  # an API key has the form `<key_id>.<key_secret>`
    forms = {form for form in forms if len(form) >= (MIN_WORD_LENGTH if form.isalpha() else MIN_LENGTH)}
    longest_first = sorted(forms, key=len, reverse=True)

    def redact(text: str) -> str:
        for form in longest_first:
            text = text.replace(form, HIDDEN)
        return text

    return redact


def _find_settings_secrets() -> Iterator[str]:
    for name in filter(str.isupper, dir(settings)):
        # Django raises an exception for some settings, such as an empty SECRET_KEY, and warns about deprecated ones.
        with suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from _find_secrets(getattr(settings, name), is_secret=bool(SECRET_NAME.search(name)))


def _find_secrets(value: Any, *, is_secret: bool) -> Iterator[str]:
    """Find all strings in a secret value, and the passwords of URLs in any value."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _find_secrets(each, is_secret=is_secret or bool(SECRET_NAME.search(str(name))))
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _find_secrets(each, is_secret=is_secret)
    elif isinstance(value, bytes):
        yield from _find_secrets(value.decode(errors="replace"), is_secret=is_secret)
    elif isinstance(value, str):
        if is_secret:
            yield value
        for url in value.split(",") if "://" in value else ():
            # Exceptions may contain the password of a URL with or without percent-encoding.
            with suppress(ValueError):
                if password := urlsplit(url.strip()).password:
                    yield from (password, unquote(password))
