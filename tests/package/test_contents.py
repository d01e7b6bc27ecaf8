"""What is uploaded: all that the app needs at run time, and nothing else of the repository."""

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path, PurePosixPath

import pytest

import alguna_portal
from tests.package.conftest import ROOT, Distributions, run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]

# What hatchling adds of its own accord; without .gitignore, the sdist would be built otherwise than the repository.
ADDED = {"PKG-INFO", "pyproject.toml", ".gitignore"}


def shipped() -> set[str]:
    """List what is in the package's folder in the repository, but for what Python leaves there."""
    files = (path for path in (ROOT / "alguna_portal").rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def in_wheel(wheel: Path) -> dict[str, bytes]:
    """Read a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(wheel: Path) -> Message:
    """Read a wheel's metadata."""
    (text,) = [data for name, data in in_wheel(wheel).items() if name.endswith(".dist-info/METADATA")]
    return message_from_string(text.decode())


def test_the_wheel_has_the_package_and_nothing_else(distributions: Distributions) -> None:
    """No test, page, benchmark or example, and each file of the package."""
    info = f"alguna_portal-{alguna_portal.__version__}.dist-info"
    names = set(in_wheel(distributions.wheel))
    assert {name for name in names if not name.startswith(f"{info}/")} == shipped()
    assert f"{info}/licenses/LICENSE" in names
    assert f"{info}/entry_points.txt" in names


@pytest.mark.parametrize(
    "kind",
    [
        "templates/alguna_portal/*.html",
        "templates/alguna_portal/mail/*.txt",
        "templates/admin/alguna_portal/*/*.html",
        "static/alguna_portal/*.css",
        "locale/de/LC_MESSAGES/django.mo",
        "locale/de/LC_MESSAGES/django.po",
        "migrations/0001_initial.py",
        "management/commands/*.py",
        "py.typed",
        "sandbox/migrations/0001_initial.py",
        "sandbox/openapi.yaml",
        "sandbox/static/alguna_sandbox/*.css",
        "sandbox/templates/alguna_sandbox/*.html",
    ],
)
def test_each_kind_of_file_is_there(distributions: Distributions, kind: str) -> None:
    """Said by name, since a list that is read from the folder would miss what is missing there."""
    assert any(PurePosixPath(name).match(f"alguna_portal/{kind}") for name in in_wheel(distributions.wheel))


def test_the_sdist_has_the_package_and_its_papers(distributions: Distributions) -> None:
    """All that a wheel is built from, and nothing else."""
    with tarfile.open(distributions.sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert names == shipped() | {"CHANGELOG.md", "LICENSE", "README.md"} | ADDED


def test_the_sdist_builds_the_wheel_of_the_repository(distributions: Distributions, tmp_path: Path) -> None:
    """Byte for byte: who packages the sdist anew ships what we do."""
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("*.whl")
    assert in_wheel(wheel) == in_wheel(distributions.wheel)


def test_the_index_would_take_it(distributions: Distributions) -> None:
    """With a README that it can show."""
    run(sys.executable, "-m", "twine", "check", "--strict", str(distributions.wheel), str(distributions.sdist))


def test_others_find_nothing_wrong_in_the_wheel(distributions: Distributions) -> None:
    """What is commonly wrong: files at the top, files twice, bytecode, names that nobody can import."""
    run(sys.executable, "-m", "check_wheel_contents", str(distributions.wheel))


def test_the_readme_leads_nowhere_that_is_not_there(distributions: Distributions) -> None:
    """An index has neither our pages nor our picture: what is said of them stays, the links do not."""
    readme = metadata(distributions.wheel).get_payload()
    assert isinstance(readme, str)
    assert "## Install it in five minutes" in readme
    assert "[CHANGELOG.md]" not in readme
    assert [link for link in re.findall(r"\]\(([^)]*)\)", readme) if not link.startswith("https://")] == []


def test_the_metadata_is_complete(distributions: Distributions) -> None:
    """Name, version, licence, Python, and what it runs on."""
    said = metadata(distributions.wheel)
    assert (said["Name"], said["Version"]) == ("alguna_portal", alguna_portal.__version__)
    assert (said["License-Expression"], said["Requires-Python"]) == ("MIT", ">=3.11")
    classifiers = said.get_all("Classifier", [])
    assert "Development Status :: 4 - Beta" in classifiers
    assert "Typing :: Typed" in classifiers
    for version in ("5.2", "6.0", "6.1"):
        assert f"Framework :: Django :: {version}" in classifiers
    needed = [need for need in said.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert sorted(re.split(r"\W", need)[0].lower() for need in needed) == [
        *("django", "iso4217", "requests", "standardwebhooks", "tenacity", "tqdm", "urllib3")
    ]


def test_a_failed_command_fails_the_test() -> None:
    """With what was said: otherwise nothing here could fail."""
    with pytest.raises(pytest.fail.Exception, match="ended with 3:\nnot well"):
        run(sys.executable, "-c", "print('not well'); raise SystemExit(3)")
    assert isinstance(run(sys.executable, "-c", ""), subprocess.CompletedProcess)
