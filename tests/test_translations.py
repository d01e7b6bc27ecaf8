"""The catalogues of the languages: every text of ours is in each, translated, and compiled."""

import gettext
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "alguna_portal"
# How many forms a plural has, as Django counts them.
FORMS = {"ar": 6, "de": 2, "es": 3, "fr": 2, "ja": 1, "pt_BR": 2}
NUMBERS = (*range(200), 1_000_000)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|</?\w[^>]*>|ALGUNA_\w+|manage\.py \w+|alguna_portal\.urls")
NUMBER = {"%(count)d", "%(counter)s", "%(minutes)s", "%(uses)s"}

Key = tuple[str | None, str, str]

every_locale = pytest.mark.parametrize("locale", FORMS)
once = pytest.mark.xdist_group("messages")


@cache
def catalogue(locale: str) -> polib.POFile:
    """Read the translations as they are written."""
    return polib.pofile(str(file_of(locale)))


def file_of(locale: str, package: Path = PACKAGE) -> Path:
    """Name the file of a language."""
    return package / "locale" / locale / "LC_MESSAGES" / "django.po"


def keys(entries: list[polib.POEntry]) -> set[Key]:
    """Say by what the texts are found."""
    return {(entry.msgctxt, entry.msgid, entry.msgid_plural) for entry in entries}


def texts(entry: polib.POEntry | polib.MOEntry) -> dict[int, str]:
    """Return the translations of a text: one, or one for each form of a plural."""
    plural: dict[int, str] = entry.msgstr_plural
    return plural or {0: entry.msgstr}


@pytest.fixture(scope="module")
def made_anew(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package after `make messages`; without gettext the tests are skipped, and in CI they fail."""
    if not (shutil.which("xgettext") and shutil.which("msgfmt")):
        missing = "GETTEXT IS NOT INSTALLED: nobody looked for texts without translations. apt-get install gettext"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    project = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "Makefile", project)
    shutil.copytree(PACKAGE, project / "alguna_portal", ignore=shutil.ignore_patterns("__pycache__"))
    # What is installed stays as it is.
    command = ["make", "messages", f"VENV={sys.prefix}", f"--assume-old={sys.prefix}/.installed-dev"]
    env = {name: value for name, value in os.environ.items() if name not in ("DJANGO_SETTINGS_MODULE", "MAKEFLAGS")}
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return project / "alguna_portal"


@once
@every_locale
def test_no_text_of_the_code_is_missing(made_anew: Path, locale: str) -> None:
    """The catalogue has each text that is marked in the code and the templates, and no other: else `make messages`."""
    found = keys(polib.pofile(str(file_of(locale, made_anew))))
    assert found >= {(None, "Billing portal", ""), (None, "Open billing", ""), (None, "Billing of %(company)s", "")}
    assert keys(catalogue(locale)) == found


@once
def test_the_sandbox_is_not_translated(made_anew: Path) -> None:
    """It plays Alguna's own portal, which is in English."""
    found = polib.pofile(str(file_of("de", made_anew)))
    assert not [entry.msgid for entry in found for file, _line in entry.occurrences if file.startswith("sandbox")]


@every_locale
def test_no_text_is_untranslated(locale: str) -> None:
    """Each text has its translation, which nobody has guessed, and each plural all of its forms."""
    entries = catalogue(locale)
    assert not entries.obsolete_entries()
    assert not [entry.msgid for entry in entries if entry.fuzzy or not all(map(str.strip, texts(entry).values()))]
    forms = set(range(FORMS[locale]))
    assert not [entry.msgid for entry in entries if entry.msgid_plural and set(entry.msgstr_plural) != forms]
    assert entries.metadata["Plural-Forms"].startswith(f"nplurals={FORMS[locale]};")


@every_locale
def test_no_translation_is_left_uncompiled(locale: str) -> None:
    """What Django reads is what is written: else `make messages`."""
    compiled = polib.mofile(str(file_of(locale).with_suffix(".mo")))
    assert compiled.metadata["Plural-Forms"] == catalogue(locale).metadata["Plural-Forms"]
    written = {(entry.msgctxt, entry.msgid): texts(entry) for entry in catalogue(locale) if entry.translated()}
    assert {(entry.msgctxt, entry.msgid): texts(entry) for entry in compiled} == written


@every_locale
def test_no_placeholder_is_lost_or_made_up(locale: str) -> None:
    """Names, numbers, links, settings and commands stand in each translation; a number may go where it is 0, 1 or 2."""
    plural = gettext.c2py(catalogue(locale).metadata["Plural-Forms"].partition("plural=")[2].rstrip(";"))
    wrong = []
    for entry in catalogue(locale):
        all_of_them = placeholders(entry.msgid_plural or entry.msgid)
        for form, text in texts(entry).items():
            few = entry.msgid_plural and max(number for number in NUMBERS if plural(number) == form) <= 2
            allowed = [all_of_them, all_of_them - NUMBER] if few else [all_of_them]
            if text and placeholders(text) not in allowed:
                wrong.append((entry.msgid, form, text))
    assert not wrong


def placeholders(text: str) -> set[str]:
    """Find what a translation has to leave as it is."""
    return set(PLACEHOLDER.findall(text))


def test_no_text_stands_both_with_a_number_and_without() -> None:
    """Languages with one form for all numbers would show its placeholder where there is no number."""
    files = [file for kind in ("py", "html", "txt") for file in PACKAGE.rglob(f"*.{kind}")]
    sources = "\n".join(file.read_text() for file in files)
    with_number = [entry.msgid for entry in catalogue("ja") if entry.msgid_plural and not entry.msgctxt]
    assert with_number
    without = r"""(?:(?<!\w)(?:_|gettext|gettext_lazy)\(|translate )"{}"""
    assert not [text for text in with_number if re.search(without.format(re.escape(text) + '"'), sources)]


def test_no_line_of_the_french_breaks_before_its_signs() -> None:
    """The spaces before : ; ? and !, and inside of guillemets, do not break, and apostrophes are curved."""
    said = [text for entry in catalogue("fr") for text in texts(entry).values()]
    assert not [text for text in said if re.search(r" [:;?!»]|« |\w[;?!»]|«\w|'", text)]
