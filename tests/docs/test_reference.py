"""The reference says all that there is, and the pages name nothing that there is not."""

import importlib
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from django.test import override_settings
from django.urls import get_resolver

import alguna_portal
from alguna_portal import exceptions, portal_settings
from alguna_portal.conf import checks, conf
from alguna_portal.conf.checks import IDS, REQUIRED_ON_USE
from alguna_portal.conf.settings import Conf
from alguna_portal.models import Customer
from alguna_portal.sandbox.engine import faults
from tests.docs.blocks import ROOT, pages
from tests.test_observability import in_table
from tests.test_signals import documented

DOCS = ROOT / "docs"
PACKAGE = Path(alguna_portal.__file__).parent
SETTINGS = {name for name, each in vars(Conf).items() if isinstance(each, property)}
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in pages()}
SANDBOX = TEXTS["docs/reference/sandbox.md"]
IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>[^)]+)\)")
LINK = re.compile(r"\]\((?!\w+:)(?P<path>[^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_a_setting_is_described(generated: Callable[[str], str], name: str) -> None:
    """With a sentence of its own, its type, its default, and the check that reports it."""
    facts = r"Type: `[^\n]+`\. Default: (.+?)\. Reported by the check `(\S+)`\."
    wanted = rf"^### `ALGUNA_PORTAL_{name}`\n\n{facts}\n\n(.*?)\n*(?=^##|\Z)"
    found = re.search(wanted, generated("settings"), re.DOTALL | re.MULTILINE)
    assert found
    default, check, said = found.groups()
    assert len(said.split()) > 5
    assert said.partition("\n\n")[0].rstrip().endswith("."), "The first paragraph stands in the table."
    assert check == f"alguna_portal.{IDS[name]}"
    if name in REQUIRED_ON_USE:
        assert default.startswith("none")
        return
    with override_settings():
        from django.conf import settings

        if hasattr(settings, f"ALGUNA_PORTAL_{name}"):
            delattr(settings, f"ALGUNA_PORTAL_{name}")
        raw = eval(default.strip("`"), vars(importlib.import_module("alguna_portal.conf.settings")))
        unset = getattr(conf, name)
        with override_settings(**{f"ALGUNA_PORTAL_{name}": raw}):
            assert getattr(conf, name) == unset


def test_all_settings_are_in_the_reference(generated: Callable[[str], str]) -> None:
    """Each once in the table and once in full, and no other."""
    text = generated("settings")
    described = re.findall(r"^### `ALGUNA_PORTAL_(\w+)`$", text, re.MULTILINE)
    listed = re.findall(r"^\| \[`(\w+)`\]\(#alguna_portal_(\w+)\)<br>", text, re.MULTILINE)
    assert [name for name, _ in listed] == [link.upper() for _, link in listed] == described
    assert set(described) == SETTINGS == set(IDS)


@pytest.mark.parametrize("page", TEXTS)
def test_a_page_names_only_what_there_is(page: str) -> None:
    """Settings, those of the sandbox, ids of checks, and commands."""
    text = TEXTS[page]
    assert set(re.findall(r"ALGUNA_PORTAL_([A-Z_]*[A-Z])\b", text)) <= SETTINGS
    sandbox = (PACKAGE / "sandbox" / "conf.py").read_text()
    assert set(re.findall(r"ALGUNA_SANDBOX_[A-Z_]*[A-Z]\b", text)) <= set(
        re.findall(r"ALGUNA_SANDBOX_[A-Z_]+", sandbox)
    )
    ids = {*IDS.values(), *re.findall(r"alguna_portal\.(W\d+)", checks.__doc__ or "")}
    assert set(re.findall(r"alguna_portal\.([EW]\d{3})", text)) <= ids
    commands = {path.stem for path in PACKAGE.rglob("management/commands/alguna_*.py")}
    assert set(re.findall(r"manage\.py (alguna_\w+)", text)) <= commands


def test_all_settings_of_the_sandbox_are_on_its_page() -> None:
    """Some of them share a row, and the beginning of their names."""
    names = set(re.findall(r'"ALGUNA_SANDBOX_([A-Z_]+)"', (PACKAGE / "sandbox" / "conf.py").read_text()))
    assert len(names) > 8
    for name in names:
        assert f"`ALGUNA_SANDBOX_{name}`" in SANDBOX or f"`_{name}`" in SANDBOX, name


def test_all_simulated_faults_are_on_the_sandbox_page() -> None:
    """Each part that the sandbox understands."""
    for name in faults.PART_NAMES:
        assert re.search(rf"^\| `{name}[=`]", SANDBOX, re.MULTILINE), name


def test_all_checks_are_in_the_reference(generated: Callable[[str], str]) -> None:
    """Those that the code gives out, of the app and of the sandbox."""
    source = (PACKAGE / "conf" / "checks.py").read_text() + (PACKAGE / "sandbox" / "conf.py").read_text()
    given = {*re.findall(r'id="(alguna_\w+\.[EW]\d+)"', source), *(f"alguna_portal.{each}" for each in IDS.values())}
    assert set(re.findall(r"^\| `(alguna_\w+\.[EW]\d+)`", generated("checks"), re.MULTILINE)) == given


def test_all_signals_are_in_the_reference(generated: Callable[[str], str]) -> None:
    """With their arguments."""
    sections = dict(re.findall(r"## `(\w+)`\n(.*?)(?=\n## )", generated("signals"), re.DOTALL))
    assert sections.keys() == documented().keys()
    for name, arguments in documented().items():
        assert set(re.findall(r"`([a-z_]+)`", sections[name])) == arguments


def test_all_events_are_in_the_reference(generated: Callable[[str], str]) -> None:
    """With level and fields."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \| .*\|$", generated("events"), re.MULTILINE)
    assert {(name, level, frozenset(re.findall(r"`(\w+)`", marked))) for name, level, marked in rows} == in_table()


def test_all_exceptions_are_in_the_reference(generated: Callable[[str], str]) -> None:
    """In the tree, and each on its own."""
    text = generated("exceptions")
    classes = [name for name, each in vars(exceptions).items() if isinstance(each, type)]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == classes
    assert all(re.search(rf"(?:^|─ ){name}\b", text, re.MULTILINE) for name in classes)


def test_all_tags_commands_and_addresses_are_in_the_reference(generated: Callable[[str], str]) -> None:
    """Commands with their options."""
    assert re.findall(r"## `{% (\w+) %}`", generated("tags")) == ["billing_button", "billing_url"]
    text = generated("commands")
    commands = {path.stem for path in PACKAGE.rglob("management/commands/alguna_*.py")}
    assert set(re.findall(r"## `(\w+)`", text)) == commands
    for path in PACKAGE.rglob("management/commands/alguna_*.py"):
        for option in re.findall(r'add_argument\(\s*"(--[a-z-]+)"', path.read_text()):
            assert f"`{option}" in text
    assert "`--verbosity" not in text
    urls = get_resolver("alguna_portal.urls").reverse_dict
    assert set(re.findall(r"`alguna_portal:(\w+)`", generated("urls"))) == {
        each for each in urls if isinstance(each, str)
    }


def test_all_models_are_in_the_reference(generated: Callable[[str], str]) -> None:
    """With their fields."""
    text = generated("models")
    for model in Customer._meta.apps.get_app_config("alguna_portal").get_models():
        section = text.partition(f"## `{model.__name__}`")[2].partition("\n## ")[0]
        assert section
        for field in model._meta.fields:
            assert field.name == "id" or f"| `{field.name}` |" in section


def test_the_portal_settings_are_those_of_the_code() -> None:
    """Sections and fields."""
    rows = re.findall(r"^\| `(\w+_settings)` \| (.+) \|$", TEXTS["docs/reference/portal-settings.md"], re.MULTILINE)
    assert {section: re.findall(r"`(\w+)`", marked) for section, marked in rows} == {
        each.name: [field.name for field in fields(getattr(portal_settings.PortalSettings(), each.name))]
        for each in fields(portal_settings.PortalSettings)
    }


@pytest.mark.parametrize("page", TEXTS)
def test_links_and_pictures_lead_somewhere(page: str) -> None:
    """To files that are there; and a picture says in words what is to be seen."""
    folder = (ROOT / page).parent
    for found in LINK.finditer(TEXTS[page]):
        assert (folder / found["path"]).exists(), found["path"]
    for found in IMAGE.finditer(TEXTS[page]):
        assert len(found["alt"].split()) > 5
        assert (folder / found["path"]).stat().st_size < 150_000


def test_every_picture_is_shown() -> None:
    """Else nobody would notice what became of it."""
    shown = {(ROOT / page).parent / found["path"] for page, text in TEXTS.items() for found in IMAGE.finditer(text)}
    assert {path.resolve() for path in shown} == {*(DOCS / "images").glob("*.png"), DOCS / "demo.png"}
