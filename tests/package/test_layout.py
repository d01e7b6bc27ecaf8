"""The layout of the package: few modules and folders in its root, and imports that go one way."""

from functools import cache
from pathlib import Path

import grimp
import pytest

import alguna_portal

ROOT = Path(alguna_portal.__file__).parent
# Django looks for these in every app.
FOLDERS_OF_DJANGO = {"management", "migrations", "templatetags"}


@cache
def import_graph() -> grimp.ImportGraph:
    """Return all imports at run time, those inside functions included."""
    return grimp.build_graph("alguna_portal", exclude_type_checking_imports=True)


def packages() -> list[str]:
    """Return the root and all packages in it."""
    return sorted(module for module in import_graph().modules if import_graph().find_children(module))


def test_the_root_has_few_modules_and_packages() -> None:
    """A developer can keep 15 modules and 13 packages in mind; Django's own folders don't count."""
    modules = sorted(path.name for path in ROOT.glob("*.py"))
    folders = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
    assert len(modules) <= 15, modules
    assert len(set(folders) - FOLDERS_OF_DJANGO) <= 13, folders


@pytest.mark.parametrize("package", packages())
def test_no_package_has_an_import_cycle(package: str) -> None:
    """Neither between its modules and subpackages, nor between a module and the package's `__init__.py`."""
    graph = import_graph()
    assert not graph.nominate_cycle_breakers(package)
    from_package = graph.find_modules_directly_imported_by(package)
    to_package = graph.find_modules_that_directly_import(package)
    assert not {module for module in from_package & to_package if module.startswith(f"{package}.")}


def test_imports_between_packages_have_at_most_ten_levels() -> None:
    """The longest chain of imports between the modules and packages of the root, the sandbox aside."""
    graph = import_graph()
    units = graph.find_children("alguna_portal") - {"alguna_portal.sandbox"}
    imports = {
        unit: {
            other
            for other in units - {unit}
            if graph.direct_import_exists(importer=unit, imported=other, as_packages=True)
        }
        for unit in units
    }

    @cache
    def level(unit: str) -> int:
        return 1 + max((level(other) for other in imports[unit]), default=0)

    assert max(map(level, units)) <= 10
