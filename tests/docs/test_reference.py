"""The reference is complete, and the pages name only settings, checks, commands and files that exist."""

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
from alguna_portal.conf.settings import Conf, Setting
from alguna_portal.models import Customer
from alguna_portal.sandbox.engine import faults
from tests.docs.code_blocks import ROOT, find_pages
from tests.test_observability import get_documented_events
from tests.test_signals import get_documented_arguments

PACKAGE = Path(alguna_portal.__file__).parent
SETTINGS = {name for name, each in vars(Conf).items() if isinstance(each, Setting)}
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in find_pages()}
SANDBOX_PAGE = TEXTS["docs/reference/sandbox.md"]
SANDBOX_SETTINGS = set(re.findall(r"\"ALGUNA_SANDBOX_([A-Z_]+)\"", (PACKAGE / "sandbox" / "conf.py").read_text()))
COMMANDS = {path.stem: path for path in PACKAGE.rglob("management/commands/alguna_*.py")}
IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>[^)]+)\)")
LINK = re.compile(r"\]\((?!\w+:)(?P<path>[^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_a_setting_is_described(generated: Callable[[str], str], name: str) -> None:
    """Each setting has a description, a type, the check that reports it, and a default that equals the unset value."""
    facts = r"Type: `[^\n]+`\. Default: (.+?)\. Reported by the check `(\S+)`\."
    pattern = rf"^### `ALGUNA_PORTAL_{name}`\n\n{facts}\n\n(.*?)\n*(?=^##|\Z)"
    match = re.search(pattern, generated("settings"), re.DOTALL | re.MULTILINE)
    assert match
    default, check, description = match.groups()
    assert len(description.split()) > 5
    assert description.partition("\n\n")[0].rstrip().endswith("."), "The first paragraph is in the table."
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
    """Each setting is once in the table and has one section."""
    text = generated("settings")
    sections = re.findall(r"^### `ALGUNA_PORTAL_(\w+)`$", text, re.MULTILINE)
    listed = re.findall(r"^\| \[`(\w+)`\]\(#alguna_portal_(\w+)\)<br>", text, re.MULTILINE)
    assert [name for name, _ in listed] == [link.upper() for _, link in listed] == sections
    assert set(sections) == SETTINGS == set(IDS)


@pytest.mark.parametrize("page", TEXTS)
def test_a_page_names_only_existing_settings_checks_and_commands(page: str) -> None:
    text = TEXTS[page]
    assert set(re.findall(r"ALGUNA_PORTAL_([A-Z_]*[A-Z])\b", text)) <= SETTINGS
    assert set(re.findall(r"ALGUNA_SANDBOX_([A-Z_]*[A-Z])\b", text)) <= SANDBOX_SETTINGS
    ids = {*IDS.values(), *re.findall(r"alguna_portal\.(W\d+)", checks.__doc__ or "")}
    assert set(re.findall(r"alguna_portal\.([EW]\d{3})", text)) <= ids
    assert set(re.findall(r"manage\.py (alguna_\w+)", text)) <= COMMANDS.keys()


def test_all_settings_of_the_sandbox_are_on_its_page() -> None:
    """Settings that share a table row are listed without their common prefix."""
    assert len(SANDBOX_SETTINGS) > 8
    for name in SANDBOX_SETTINGS:
        assert f"`ALGUNA_SANDBOX_{name}`" in SANDBOX_PAGE or f"`_{name}`" in SANDBOX_PAGE, name


def test_all_simulated_faults_are_on_the_sandbox_page() -> None:
    for name in faults.PART_NAMES:
        assert re.search(rf"^\| `{name}[=`]", SANDBOX_PAGE, re.MULTILINE), name


def test_all_checks_are_in_the_reference(generated: Callable[[str], str]) -> None:
    source = (PACKAGE / "conf" / "checks.py").read_text() + (PACKAGE / "sandbox" / "conf.py").read_text()
    ids = {*re.findall(r'id="(alguna_\w+\.[EW]\d+)"', source), *(f"alguna_portal.{each}" for each in IDS.values())}
    assert set(re.findall(r"^\| `(alguna_\w+\.[EW]\d+)`", generated("checks"), re.MULTILINE)) == ids


def test_all_signals_and_their_arguments_are_in_the_reference(generated: Callable[[str], str]) -> None:
    sections = dict(re.findall(r"## `(\w+)`\n(.*?)(?=\n## )", generated("signals"), re.DOTALL))
    assert sections.keys() == get_documented_arguments().keys()
    for name, arguments in get_documented_arguments().items():
        assert set(re.findall(r"`([a-z_]+)`", sections[name])) == arguments


def test_all_log_events_with_level_and_fields_are_in_the_reference(generated: Callable[[str], str]) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \| .*\|$", generated("events"), re.MULTILINE)
    assert {
        (name, level, frozenset(re.findall(r"`(\w+)`", marked))) for name, level, marked in rows
    } == get_documented_events()


def test_all_exceptions_are_in_the_reference(generated: Callable[[str], str]) -> None:
    """Each exception is in the tree and in the table."""
    text = generated("exceptions")
    classes = [name for name, each in vars(exceptions).items() if isinstance(each, type)]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == classes
    assert all(re.search(rf"(?:^|─ ){name}\b", text, re.MULTILINE) for name in classes)


def test_all_tags_commands_and_urls_are_in_the_reference(generated: Callable[[str], str]) -> None:
    """Commands are listed with their own options, without those that every Django command has."""
    assert re.findall(r"## `{% (\w+) %}`", generated("tags")) == ["billing_button", "billing_url"]
    text = generated("commands")
    assert set(re.findall(r"## `(\w+)`", text)) == COMMANDS.keys()
    for path in COMMANDS.values():
        for option in re.findall(r'add_argument\(\s*"(--[a-z-]+)"', path.read_text()):
            assert f"`{option}" in text
    assert "`--verbosity" not in text
    urls = get_resolver("alguna_portal.urls").reverse_dict
    assert set(re.findall(r"`alguna_portal:(\w+)`", generated("urls"))) == {
        each for each in urls if isinstance(each, str)
    }


def test_all_models_and_their_fields_are_in_the_reference(generated: Callable[[str], str]) -> None:
    text = generated("models")
    for model in Customer._meta.apps.get_app_config("alguna_portal").get_models():
        section = text.partition(f"## `{model.__name__}`")[2].partition("\n## ")[0]
        assert section
        for field in model._meta.fields:
            assert field.name == "id" or f"| `{field.name}` |" in section


def test_the_sections_and_fields_of_portal_settings_match_the_code() -> None:
    rows = re.findall(r"^\| `(\w+_settings)` \| (.+) \|$", TEXTS["docs/reference/portal-settings.md"], re.MULTILINE)
    assert {section: re.findall(r"`(\w+)`", marked) for section, marked in rows} == {
        each.name: [field.name for field in fields(getattr(portal_settings.PortalSettings(), each.name))]
        for each in fields(portal_settings.PortalSettings)
    }


@pytest.mark.parametrize("page", TEXTS)
def test_the_targets_of_links_and_images_exist(page: str) -> None:
    """Images have an alternative text and aren't large."""
    folder = (ROOT / page).parent
    for match in LINK.finditer(TEXTS[page]):
        assert (folder / match["path"]).exists(), match["path"]
    for match in IMAGE.finditer(TEXTS[page]):
        assert len(match["alt"].split()) > 5
        assert (folder / match["path"]).stat().st_size < 150_000


def test_every_image_is_used() -> None:
    shown = {(ROOT / page).parent / match["path"] for page, text in TEXTS.items() for match in IMAGE.finditer(text)}
    assert {path.resolve() for path in shown} == {*(ROOT / "docs" / "images").glob("*.png"), ROOT / "docs" / "demo.png"}
