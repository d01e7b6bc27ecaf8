"""Upgrades keep the stored rows: from each release and from each migration."""

import shutil
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT
from tests.package.conftest import CLEAN_ENV, run
from tests.package.upgrade import (
    create_database,
    create_sqlite,
    extract_code,
    find_lost_rows,
    get_release_tags,
    upgrade,
)
from tests.support.databases import SERVERS

pytestmark = pytest.mark.slow

MIGRATIONS = sorted(
    f"{app}.{path.stem}"
    for app, folder in (("alguna_portal", "migrations"), ("alguna_sandbox", "sandbox/migrations"))
    for path in (ROOT / "alguna_portal" / folder).glob("0*.py")
)
ON_SERVERS = [pytest.param(name, marks=pytest.mark.services) for name in SERVERS]


def test_all_migrations_are_tested(tmp_path: Path) -> None:
    """Django finds the same migrations as the list above."""
    assert create_sqlite(tmp_path).run_action("list")["migrations"] == MIGRATIONS


@pytest.mark.parametrize("migration", MIGRATIONS)
@pytest.mark.parametrize("name", ["sqlite", *ON_SERVERS])
def test_rows_are_kept_from_each_migration_to_the_last(tmp_path: Path, name: str, migration: str) -> None:
    """Forwards, no row is lost and no migration is missing. Backwards, no table remains."""
    with create_database(name, tmp_path) as database:
        before = database.run_action("fill", migration)["rows"]
        assert before
        assert all(before.values())
        assert find_lost_rows(before, database.run_action("upgrade")["rows"]) == []
        assert database.run_action("undo") == {"tables": []}


def test_rows_are_kept_from_each_release(tmp_path: Path) -> None:
    """The code of each tag fills a database. If there are no tags, the test is skipped with a message."""
    try:
        releases = get_release_tags(ROOT)
    except LookupError as exc:
        pytest.skip(f"NO UPGRADE FROM A RELEASE WAS TRIED: {exc}.")
    if not releases:
        pytest.skip("NO UPGRADE FROM A RELEASE WAS TRIED: no tag v* leads here. Fetch the tags, if there are any.")
    for tag in releases:
        folder = tmp_path / tag
        folder.mkdir()
        assert upgrade(create_sqlite(folder), extract_code(tag, ROOT, folder / "code")) == [], tag


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one release from before the second migration."""
    repository = tmp_path / "repository"
    copy_package(repository)
    for migration in ("alguna_portal/migrations/000[2-9]*", "alguna_portal/sandbox/migrations/000[2-9]*"):
        for path in repository.glob(migration):
            path.unlink()
    values = ("user.name=x", "user.email=x@example.com", "commit.gpgsign=false", "tag.gpgsign=false")
    options = [word for value in values for word in ("-c", value)]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "1"], ["tag", "v0.0.1"]):
        run("git", *options, *command, cwd=repository)
    run("git", "tag", "other", cwd=repository)
    return repository


def copy_package(folder: Path) -> None:
    """Copy the package to a folder."""
    shutil.copytree(ROOT / "alguna_portal", folder / "alguna_portal", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture
def released_code(repository: Path, tmp_path: Path) -> Path:
    """The code of the repository's one release."""
    (tag,) = get_release_tags(repository)
    return extract_code(tag, repository, tmp_path / "old")


def test_a_release_is_found_by_its_tag_and_upgraded(released_code: Path, tmp_path: Path) -> None:
    assert upgrade(create_sqlite(tmp_path), released_code) == []


def test_a_migration_that_deletes_rows_is_reported(released_code: Path, tmp_path: Path) -> None:
    """If lost rows weren't reported, the tests above couldn't fail."""
    *_, last = [each.partition(".")[2] for each in MIGRATIONS if each.startswith("alguna_portal.")]
    new = tmp_path / "new"
    copy_package(new)
    (new / "alguna_portal" / "migrations" / "9999_careless.py").write_text(
        f"""
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("alguna_portal", "{last}")]
    operations = [migrations.RunSQL("DELETE FROM alguna_portal_membership")]
"""
    )
    (lost,) = upgrade(create_sqlite(tmp_path), released_code, new=new)
    assert lost.startswith("alguna_portal.Membership: ")


def test_a_folder_without_a_repository_is_an_error(tmp_path: Path) -> None:
    """An unpacked sdist isn't a repository without tags."""
    with pytest.raises(LookupError, match="not a git repository"):
        get_release_tags(tmp_path)


def test_a_missing_git_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(CLEAN_ENV, "PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LookupError, match="there is no git"):
        get_release_tags(ROOT)
