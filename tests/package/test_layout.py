"""Limits for the layout of the package: modules and folders in its root, and imports in one direction."""

from functools import cache, partial
from pathlib import Path

import grimp
import pytest

import alguna_portal

ROOT = Path(alguna_portal.__file__).parent
# Django looks for these in every app.
DJANGO_FOLDERS = {"management", "migrations", "templatetags"}


@cache
def get_import_graph() -> grimp.ImportGraph:
    """Return all imports at run time, including those inside functions."""
    return grimp.build_graph("alguna_portal", exclude_type_checking_imports=True)


def get_packages() -> list[str]:
    """Return the root and all packages in it."""
    return sorted(module for module in get_import_graph().modules if get_import_graph().find_children(module))


def test_the_root_has_few_modules_and_packages() -> None:
    """A developer can keep 15 modules and 13 packages in mind; Django's own folders don't count."""
    modules = sorted(path.name for path in ROOT.glob("*.py"))
    folders = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
    assert len(modules) <= 15, modules
    assert len(set(folders) - DJANGO_FOLDERS) <= 13, folders


@pytest.mark.parametrize("package", get_packages())
def test_no_package_has_an_import_cycle(package: str) -> None:
    """Neither between its modules and subpackages, nor between a module and the package's `__init__.py`."""
    graph = get_import_graph()
    assert not graph.nominate_cycle_breakers(package)
    from_package = graph.find_modules_directly_imported_by(package)
    to_package = graph.find_modules_that_directly_import(package)
    assert not {module for module in from_package & to_package if module.startswith(f"{package}.")}


def test_imports_between_packages_have_at_most_ten_levels() -> None:
    """The longest chain of imports between the modules and packages in the root, without the sandbox."""
    graph = get_import_graph()
    units = graph.find_children("alguna_portal") - {"alguna_portal.sandbox"}

    @cache
    def get_level(unit: str) -> int:
        imports = partial(graph.direct_import_exists, importer=unit, as_packages=True)
        return 1 + max((get_level(other) for other in units - {unit} if imports(imported=other)), default=0)

    assert max(map(get_level, units)) <= 10
