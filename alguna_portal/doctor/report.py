"""What the findings come to: how many of each level, whether that is a failure, and the whole as JSON."""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from textwrap import fill
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings

from alguna_portal import __version__

# --- from alguna_portal.doctor.findings


class Level(StrEnum):
    """How bad it is, the worst last."""

    OK = "ok"
    NOTE = "note"  # worth knowing; nothing has to be done
    SKIPPED = "skipped"  # could not be looked at
    WARNING = "warning"  # works, but not for everybody or not for long
    ERROR = "error"  # does not work


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found, by a name that stays as it is, and what to do about it, if anything."""

    name: str
    level: Level
    found: str
    remedy: str = ""


Findings = Iterator[Finding]


def _of(level: Level) -> Callable[..., Finding]:
    def finding(name: str, found: str, remedy: str = "") -> Finding:
        return Finding(name=name, level=level, found=found, remedy=remedy)

    return finding


ok, note, skipped = _of(Level.OK), _of(Level.NOTE), _of(Level.SKIPPED)
warning, error = _of(Level.WARNING), _of(Level.ERROR)


def counted(number: int, singular: str, plural: str = "") -> str:
    """Say how many: “1 customer”, “1,250 customers”."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def named(names: list[str], most: int = 5) -> str:
    """List some names, and say how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# --- from alguna_portal.doctor.text

WIDTH = 79
MARGIN = 2 + len(Level.WARNING) + 2
NOUNS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "note"}

Colour = Callable[[str], str]


def group(title: str, findings: list[Finding], colours: Mapping[Level, Colour]) -> str:
    """Write the findings of one examination, under a title."""
    return "\n".join([title, *(_finding(each, colours[each.level]) for each in findings), "", ""])


def summary(counts: Mapping[Level, int]) -> str:
    """Say in one line how it stands."""
    problems = [counted(counts[level], noun) for level, noun in NOUNS.items() if counts[level]]
    rest = f"{counts[Level.OK]:,} in order" + (f", {counts[Level.SKIPPED]:,} skipped" * bool(counts[Level.SKIPPED]))
    return f"{', '.join(problems) or 'Nothing is wrong'}; {rest}."


def _finding(finding: Finding, colour: Colour) -> str:
    shown = finding.found if finding.level is Level.OK else f"{finding.found} [{finding.name}]"
    lines = _wrapped(shown, first="")
    if finding.remedy:
        lines += "\n" + _wrapped(finding.remedy, first="→ ")
    # Coloured when it is wrapped: colours take no room.
    return f"  {colour(finding.level.value)}{lines[2 + len(finding.level) :]}"


def _wrapped(text: str, *, first: str) -> str:
    margin = " " * MARGIN
    # A URL or a name is not cut: it would not be one any more.
    return fill(
        text,
        WIDTH,
        initial_indent=margin + first,
        subsequent_indent=margin + " " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


# --- from alguna_portal.doctor.redaction

# Django's KEY_PREFIX, of caches and of their middleware, is an ordinary word.
SECRET = re.compile(r"KEY(?!_PREFIX$)|SECRET|PASS|TOKEN|SIGNATURE|CREDENTIAL|DSN", re.IGNORECASE)
SHORTEST = 4
# Shorter ones that are plain words, such as “secret” or “portal”, are words of ours, too.
SHORTEST_WORD = 8
HIDDEN = "[secret]"


def redaction() -> Callable[[str], str]:
    """Make a function that takes every secret in the settings of now out of a text."""
    found = {form for secret in _secrets() for form in _forms(secret)}
    secrets = sorted((each for each in found if _counts(each)), key=len, reverse=True)

    def redact(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        return text

    return redact


def _counts(secret: str) -> bool:
    return len(secret) >= (SHORTEST_WORD if secret.isalpha() else SHORTEST)


def _forms(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret, safe=""), repr(secret)[1:-1], secret.removeprefix("whsec_"))
    # An API key is `<key_id>.<key_secret>`.
    yield secret.rpartition(".")[2]


def _secrets() -> Iterator[str]:
    for name in filter(str.isupper, dir(settings)):
        # Django refuses to read some: an empty SECRET_KEY, and from 6.1 on old names beside new ones. Of those that it
        # deprecates, whoever set them has been told.
        with suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from _within(getattr(settings, name), secret=_is_secret(name))


def _within(value: Any, *, secret: bool) -> Iterator[str]:
    """Find the strings below a secret name, and the passwords in URLs anywhere."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _within(each, secret=secret or _is_secret(str(name)))
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _within(each, secret=secret)
    elif isinstance(value, bytes):
        yield from _within(value.decode(errors="replace"), secret=secret)
    elif isinstance(value, str):
        if secret:
            yield value
        yield from _passwords(value)


def _is_secret(name: str) -> bool:
    return SECRET.search(name) is not None


def _passwords(text: str) -> Iterator[str]:
    """Find the password of a URL such as `redis://user:password@host`, as it is written and as it is meant."""
    for part in text.split(",") if "://" in text else ():
        try:
            password = urlsplit(part.strip()).password
        except ValueError:
            continue
        if password:
            yield from (password, unquote(password))


FORMAT = 1  # of the JSON; a higher one for a change that could break who reads it


@dataclass(kw_only=True)
class Report:
    """All findings so far; `fail_level` is the least level that counts as a failure."""

    fail_level: Level
    findings: list[tuple[str, Finding]] = field(default_factory=list)

    def add(self, examination: str, findings: list[Finding]) -> None:
        """Take in the findings of an examination."""
        self.findings += [(examination, each) for each in findings]

    @property
    def counts(self) -> dict[Level, int]:
        """How many findings there are of each level, the zeros included."""
        counts = Counter(finding.level for _examination, finding in self.findings)
        return {level: counts[level] for level in Level}

    @property
    def failed(self) -> bool:
        """Whether there is a finding that is as bad."""
        levels = list(Level)
        return any(self.counts[level] for level in levels[levels.index(self.fail_level) :])

    def as_json(self) -> dict[str, Any]:
        """Write it down for a machine."""
        return {
            "format": FORMAT,
            "version": __version__,
            "failed": self.failed,
            "fail_level": self.fail_level.value,
            "counts": {level.value: count for level, count in self.counts.items()},
            "findings": [
                {
                    "examination": examination,
                    "name": finding.name,
                    "level": finding.level.value,
                    "found": finding.found,
                    "remedy": finding.remedy,
                }
                for examination, finding in self.findings
            ],
        }
