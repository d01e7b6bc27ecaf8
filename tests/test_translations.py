"""The translation catalogues are complete, translated and compiled in every language."""

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
# The number of plural forms of each language, as in Django's own catalogues.
PLURAL_FORMS = {"ar": 6, "de": 2, "es": 3, "fr": 2, "ja": 1, "pt_BR": 2}
NUMBERS = (*range(200), 1_000_000)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|</?\w[^>]*>|ALGUNA_\w+|manage\.py \w+|alguna_portal\.urls")
NUMBER_PLACEHOLDERS = {"%(count)d", "%(counter)s", "%(minutes)s", "%(uses)s"}

Key = tuple[str | None, str, str]

every_locale = pytest.mark.parametrize("locale", PLURAL_FORMS)
on_one_worker = pytest.mark.xdist_group("messages")


@cache
def read_catalogue(locale: str) -> polib.POFile:
    """Return the committed translations of a language."""
    return polib.pofile(str(get_path(locale)))


def get_path(locale: str, package: Path = PACKAGE) -> Path:
    """Return the path of a language's .po file."""
    return package / "locale" / locale / "LC_MESSAGES" / "django.po"


def get_keys(entries: list[polib.POEntry]) -> set[Key]:
    """Return the context, text and plural that identify each entry."""
    return {(entry.msgctxt, entry.msgid, entry.msgid_plural) for entry in entries}


def get_translations(entry: polib.POEntry | polib.MOEntry) -> dict[int, str]:
    """Return the translation of an entry, or one for each plural form."""
    plural: dict[int, str] = entry.msgstr_plural
    return plural or {0: entry.msgstr}


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package after `make messages`. Without gettext the tests are skipped; in CI they fail."""
    if not (shutil.which("xgettext") and shutil.which("msgfmt")):
        missing = "GETTEXT IS NOT INSTALLED: nobody looked for texts without translations. apt-get install gettext"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    project = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "Makefile", project)
    shutil.copytree(PACKAGE, project / "alguna_portal", ignore=shutil.ignore_patterns("__pycache__"))
    # With this option, make doesn't install the development requirements.
    command = ["make", "messages", f"VENV={sys.prefix}", f"--assume-old={sys.prefix}/.installed-dev"]
    env = {name: value for name, value in os.environ.items() if name not in ("DJANGO_SETTINGS_MODULE", "MAKEFLAGS")}
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return project / "alguna_portal"


@on_one_worker
@every_locale
def test_the_catalogue_has_all_texts_of_code_and_templates(regenerated: Path, locale: str) -> None:
    """The catalogue has no other texts. If the test fails, run `make messages`."""
    found = get_keys(polib.pofile(str(get_path(locale, regenerated))))
    assert found >= {(None, "Billing portal", ""), (None, "Open billing", ""), (None, "Billing of %(company)s", "")}
    assert get_keys(read_catalogue(locale)) == found


@on_one_worker
def test_the_sandbox_is_not_translated(regenerated: Path) -> None:
    """It simulates Alguna's own portal, which is in English."""
    entries = polib.pofile(str(get_path("de", regenerated)))
    assert not [entry.msgid for entry in entries for file, _line in entry.occurrences if file.startswith("sandbox")]


@every_locale
def test_all_texts_are_translated(locale: str) -> None:
    """No translation is fuzzy or obsolete, and each plural has all of its forms."""
    entries = read_catalogue(locale)
    assert not entries.obsolete_entries()
    assert not [
        entry.msgid for entry in entries if entry.fuzzy or not all(map(str.strip, get_translations(entry).values()))
    ]
    forms = set(range(PLURAL_FORMS[locale]))
    assert not [entry.msgid for entry in entries if entry.msgid_plural and set(entry.msgstr_plural) != forms]
    assert entries.metadata["Plural-Forms"].startswith(f"nplurals={PLURAL_FORMS[locale]};")


@every_locale
def test_compiled_translations_are_up_to_date(locale: str) -> None:
    """The .mo files, which Django reads, equal the .po files. If the test fails, run `make messages`."""
    compiled = polib.mofile(str(get_path(locale).with_suffix(".mo")))
    assert compiled.metadata["Plural-Forms"] == read_catalogue(locale).metadata["Plural-Forms"]
    written = {
        (entry.msgctxt, entry.msgid): get_translations(entry) for entry in read_catalogue(locale) if entry.translated()
    }
    assert {(entry.msgctxt, entry.msgid): get_translations(entry) for entry in compiled} == written


@every_locale
def test_translations_have_the_placeholders_of_the_text(locale: str) -> None:
    """The same applies to tags, settings and commands. A plural form for 0, 1 or 2 may omit the number."""
    plural = gettext.c2py(read_catalogue(locale).metadata["Plural-Forms"].partition("plural=")[2].rstrip(";"))
    wrong = []
    for entry in read_catalogue(locale):
        required = get_placeholders(entry.msgid_plural or entry.msgid)
        for form, text in get_translations(entry).items():
            is_few = entry.msgid_plural and max(number for number in NUMBERS if plural(number) == form) <= 2
            allowed = [required, required - NUMBER_PLACEHOLDERS] if is_few else [required]
            if text and get_placeholders(text) not in allowed:
                wrong.append((entry.msgid, form, text))
    assert not wrong


def get_placeholders(text: str) -> set[str]:
    """Return the parts that a translation has to keep unchanged."""
    return set(PLACEHOLDER.findall(text))


def test_no_text_is_used_both_as_plural_and_without_a_number() -> None:
    """Languages with one plural form would show the placeholder if the text is used without a number."""
    files = [file for kind in ("py", "html", "txt") for file in PACKAGE.rglob(f"*.{kind}")]
    sources = "\n".join(file.read_text() for file in files)
    with_number = [entry.msgid for entry in read_catalogue("ja") if entry.msgid_plural and not entry.msgctxt]
    assert with_number
    without = r"""(?:(?<!\w)(?:_|gettext|gettext_lazy)\(|translate )"{}"""
    assert not [text for text in with_number if re.search(without.format(re.escape(text) + '"'), sources)]


def test_french_has_non_breaking_spaces_before_punctuation() -> None:
    """This applies to : ; ? and !, and inside guillemets. Apostrophes are curved."""
    translations = [text for entry in read_catalogue("fr") for text in get_translations(entry).values()]
    assert not [text for text in translations if re.search(r" [:;?!»]|« |\w[;?!»]|«\w|'", text)]
