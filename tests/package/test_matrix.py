"""nox sessions of the test matrix: combinations, missing interpreters and servers, and installed releases."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import noxfile
from tests.docs.code_blocks import ROOT
from tests.package.conftest import CLEAN_ENV
from tests.support import databases

CELL = "py3.13-django6.1-postgres"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run_nox(tmp_path: Path, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run nox in an environment without interpreters and servers."""
    servers = {"POSTGRES_URL": "postgres://nobody@127.0.0.1:1/none", "MARIADB_URL": "mysql://nobody@127.0.0.1:1/none"}
    command = [sys.executable, "-m", "nox", "--envdir", str(tmp_path), *arguments]
    env = {**CLEAN_ENV, **servers, "PATH": str(tmp_path), **env}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)


def test_missing_requirements_are_an_error_in_ci(tmp_path: Path) -> None:
    """The error names all of them and the remedy."""
    done = run_nox(tmp_path, "--session", CELL, CI="true")
    assert done.returncode == 1
    assert "python3.13 and postgres cannot be had. Install it; or add it to .ci/missing" in done.stderr


def test_missing_requirements_are_skipped_with_a_message_outside_ci(tmp_path: Path) -> None:
    done = run_nox(tmp_path, "--session", CELL)
    assert done.returncode == 0
    assert "PYTHON3.13 AND POSTGRES IS NOT HERE: nothing was tried on it." in done.stderr


def test_declared_requirements_may_be_missing_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has one name per line. Outside CI, all requirements may be missing."""
    declared = tmp_path / "missing"
    declared.write_text("# python3.12\nmariadb  # until the machine has it\n\n")
    monkeypatch.setattr(databases, "DECLARED", declared)
    monkeypatch.setenv("CI", "true")
    assert databases.read_declared_missing() == ["mariadb"]
    assert databases.may_be_missing("mariadb")
    assert not databases.may_be_missing("postgres")
    monkeypatch.delenv("CI")
    assert databases.may_be_missing("postgres")


def test_declared_names_are_known() -> None:
    """A misspelt name would declare nothing."""
    known = {requirement for cell in noxfile.CELLS for requirement in cell.requirements} | {"redis-server", "memcached"}
    assert set(databases.read_declared_missing()) <= known


def test_skip_message_names_the_missing_requirements() -> None:
    """In CI, undeclared requirements are an error even if others are declared."""
    message = noxfile.get_skip_message(["mariadb"], declared=["mariadb"], ci=True)
    assert message == "MARIADB IS NOT HERE: nothing was tried on it."
    with pytest.raises(LookupError, match=r"^python3\.12 cannot be had"):
        noxfile.get_skip_message(["python3.12", "mariadb"], declared=["mariadb"], ci=True)
    for declared, ci in ((["mariadb"], True), ([], False)):
        assert noxfile.get_skip_message([], declared=declared, ci=ci) == ""


def test_an_interpreter_that_does_not_run_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "python3.13"
    command.write_text("#!/bin/sh\nexit 127\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert not noxfile.is_available("python3.13")
    command.write_text("#!/bin/sh\nexit 0\n")
    assert noxfile.is_available("python3.13")


def test_the_matrix_has_all_versions_of_the_classifiers_and_all_databases() -> None:
    cells = noxfile.CELLS
    assert {(cell.python, cell.django) for cell in cells} == {("3.11", "5.2"), ("3.12", "6.0"), ("3.13", "6.1")}
    assert {cell.database for cell in cells} == {"sqlite", "postgres", "mariadb"}
    for cell in cells:
        assert f"Framework :: Django :: {cell.django}" in PROJECT["classifiers"]
        assert f"Programming Language :: Python :: {cell.python}" in PROJECT["classifiers"]


def test_the_session_in_matrix_without_is_left_out(tmp_path: Path) -> None:
    listed = run_nox(tmp_path, "--list", MATRIX_WITHOUT=CELL).stdout
    assert f"- {CELL}" in listed
    assert "* py3.12-django6.0-sqlite" in listed
    assert f"* {CELL}" in run_nox(tmp_path, "--list").stdout


def test_the_lowest_releases_follow_from_the_requirements() -> None:
    """A requirement without a lower bound, or with an upper one, is an error."""
    assert noxfile.pin_lowest_releases(["Django>=5.2", "tqdm>=4.66"]) == ["Django==5.2", "tqdm==4.66"]
    for requirement in ("Django", "Django>=5.2,<7", "Django~=5.2"):
        with pytest.raises(ValueError, match="does not say"):
            noxfile.pin_lowest_releases([requirement])
    assert noxfile.pin_lowest_releases(PROJECT["dependencies"])
