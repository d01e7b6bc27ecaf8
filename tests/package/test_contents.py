"""The wheel and the sdist have all files that the app needs at run time, and no others from the repository."""

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
from tests.docs.code_blocks import ROOT
from tests.package.conftest import README_SECTION, Distributions, run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]

DIST_INFO = f"alguna_portal-{alguna_portal.__version__}.dist-info"
# hatchling adds these. Without .gitignore, a wheel built from the sdist could have other files than ours.
ADDED_BY_HATCHLING = {"PKG-INFO", "pyproject.toml", ".gitignore"}


def get_package_files() -> set[str]:
    """Return the files in the package's folder of the repository, without bytecode."""
    files = (path for path in (ROOT / "alguna_portal").rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def read_wheel(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def metadata(distributions: Distributions) -> Message:
    """The metadata of the wheel."""
    return message_from_string(read_wheel(distributions.wheel)[f"{DIST_INFO}/METADATA"].decode())


def test_the_wheel_has_only_the_package(distributions: Distributions) -> None:
    """The wheel has no tests, documentation, benchmarks or example."""
    names = set(read_wheel(distributions.wheel))
    assert {name for name in names if not name.startswith(f"{DIST_INFO}/")} == get_package_files()
    assert f"{DIST_INFO}/licenses/LICENSE" in names
    assert f"{DIST_INFO}/entry_points.txt" in names


@pytest.mark.parametrize(
    "pattern",
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
def test_the_wheel_has_each_kind_of_file(distributions: Distributions, pattern: str) -> None:
    """The patterns are written down, because a list read from the folder would lack files that are missing there."""
    assert any(PurePosixPath(name).match(f"alguna_portal/{pattern}") for name in read_wheel(distributions.wheel))


def test_the_sdist_has_the_package_readme_licence_and_changelog(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert names == get_package_files() | {"CHANGELOG.md", "LICENSE", "README.md"} | ADDED_BY_HATCHLING


def test_sdist_and_repository_build_the_same_wheel(distributions: Distributions, tmp_path: Path) -> None:
    """A distributor who builds from the sdist gets the same files, byte for byte."""
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("*.whl")
    assert read_wheel(wheel) == read_wheel(distributions.wheel)


def test_twine_accepts_the_distributions(distributions: Distributions) -> None:
    """PyPI can render the README."""
    run(sys.executable, "-m", "twine", "check", "--strict", str(distributions.wheel), str(distributions.sdist))


def test_check_wheel_contents_finds_no_mistakes(distributions: Distributions) -> None:
    """For example files outside the package, duplicates, bytecode and names that can't be imported."""
    run(sys.executable, "-m", "check_wheel_contents", str(distributions.wheel))


def test_the_readme_in_the_metadata_has_no_relative_links(metadata: Message) -> None:
    """PyPI has neither the linked pages nor the image. The links' texts remain."""
    readme = metadata.get_payload()
    assert isinstance(readme, str)
    assert f"## {README_SECTION}" in readme
    assert "[CHANGELOG.md]" not in readme
    assert [link for link in re.findall(r"\]\(([^)]*)\)", readme) if not link.startswith("https://")] == []


def test_the_metadata_is_complete(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("alguna_portal", alguna_portal.__version__)
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.11")
    classifiers = metadata.get_all("Classifier", [])
    assert "Development Status :: 4 - Beta" in classifiers
    assert "Typing :: Typed" in classifiers
    for version in ("5.2", "6.0", "6.1"):
        assert f"Framework :: Django :: {version}" in classifiers
    requirements = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert sorted(re.split(r"\W", each)[0].lower() for each in requirements) == [
        *("django", "iso4217", "requests", "standardwebhooks", "tenacity", "tqdm", "urllib3")
    ]


def test_a_failed_command_fails_the_test() -> None:
    """The failure shows the output. If `run` didn't fail, no test here could."""
    with pytest.raises(pytest.fail.Exception, match="ended with 3:\nnot well"):
        run(sys.executable, "-c", "print('not well'); raise SystemExit(3)")
    assert isinstance(run(sys.executable, "-c", ""), subprocess.CompletedProcess)
