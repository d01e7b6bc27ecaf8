"""What the matrix does where an interpreter or a server is missing, and what it installs."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import noxfile
from tests.package.conftest import CLEAN, ROOT
from tests.support import databases

CELL = "py3.13-django6.1-postgres"


def matrix(tmp_path: Path, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run nox where no interpreter and no server is found."""
    nowhere = {"POSTGRES_URL": "postgres://nobody@127.0.0.1:1/none", "MARIADB_URL": "mysql://nobody@127.0.0.1:1/none"}
    command = [sys.executable, "-m", "nox", "--envdir", str(tmp_path), *arguments]
    env = {**CLEAN, **nowhere, "PATH": str(tmp_path), **env}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)


def test_what_is_missing_is_an_error_in_ci(tmp_path: Path) -> None:
    """All of it is named, with what to do."""
    ran = matrix(tmp_path, "--session", CELL, CI="true")
    assert ran.returncode == 1
    assert "python3.13 and postgres cannot be had. Install it; or add it to .ci/missing" in ran.stderr


def test_what_is_missing_is_skipped_aloud_elsewhere(tmp_path: Path) -> None:
    """A developer has seldom all."""
    ran = matrix(tmp_path, "--session", CELL)
    assert ran.returncode == 0
    assert "PYTHON3.13 AND POSTGRES IS NOT HERE: nothing was tried on it." in ran.stderr


def test_what_is_declared_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name a line, in CI; elsewhere, anything may be."""
    declared = tmp_path / "missing"
    declared.write_text("# python3.12\nmariadb  # until the machine has it\n\n")
    monkeypatch.setattr(databases, "DECLARED", declared)
    monkeypatch.setenv("CI", "true")
    assert databases.declared_missing() == ["mariadb"]
    assert databases.may_be_missing("mariadb")
    assert not databases.may_be_missing("postgres")
    monkeypatch.delenv("CI")
    assert databases.may_be_missing("postgres")


def test_the_list_names_what_there_is() -> None:
    """A misspelt name would declare nothing."""
    known = {need for cell in noxfile.CELLS for need in cell.needs} | {"redis-server", "memcached"}
    assert set(databases.declared_missing()) <= known


def test_what_is_declared_is_skipped_in_ci() -> None:
    """Aloud; and what is missing besides is an error as before."""
    said = noxfile.left_out(["mariadb"], declared=["mariadb"], ci=True)
    assert said == "MARIADB IS NOT HERE: nothing was tried on it."
    with pytest.raises(LookupError, match=r"^python3\.12 cannot be had"):
        noxfile.left_out(["python3.12", "mariadb"], declared=["mariadb"], ci=True)


def test_nothing_missing_is_nothing_said() -> None:
    """Neither in CI nor elsewhere."""
    assert noxfile.left_out([], declared=["mariadb"], ci=True) == noxfile.left_out([], declared=[], ci=False) == ""


def test_an_interpreter_that_does_not_run_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyenv has a command for each of its Pythons, also for those that are not chosen."""
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert not noxfile.is_here("python3.13")
    shim.write_text("#!/bin/sh\nexit 0\n")
    assert noxfile.is_here("python3.13")


def test_each_pair_and_each_database_has_a_cell() -> None:
    """As the classifiers promise."""
    assert {(cell.python, cell.django) for cell in noxfile.CELLS} == {("3.11", "5.2"), ("3.12", "6.0"), ("3.13", "6.1")}
    assert {cell.database for cell in noxfile.CELLS} == {"sqlite", "postgres", "mariadb"}
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    for cell in noxfile.CELLS:
        assert f"Framework :: Django :: {cell.django}" in classifiers
        assert f"Programming Language :: Python :: {cell.python}" in classifiers


def test_a_cell_that_has_run_elsewhere_is_left_out(tmp_path: Path) -> None:
    """CI runs one of them with coverage."""
    listed = matrix(tmp_path, "--list", MATRIX_WITHOUT=CELL).stdout
    assert f"- {CELL}" in listed
    assert "* py3.12-django6.0-sqlite" in listed
    assert f"* {CELL}" in matrix(tmp_path, "--list").stdout


def test_the_lowest_releases_are_those_of_the_requirements() -> None:
    """A requirement that names none, or a bound above, is seen."""
    assert noxfile.lowest(["Django>=5.2", "tqdm>=4.66"]) == ["Django==5.2", "tqdm==4.66"]
    for requirement in ("Django", "Django>=5.2,<7", "Django~=5.2"):
        with pytest.raises(ValueError, match="does not say"):
            noxfile.lowest([requirement])
    assert noxfile.lowest(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
