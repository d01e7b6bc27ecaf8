"""Who has used an earlier version keeps what is stored: from each release, and from each migration."""

import shutil
from pathlib import Path

import pytest

from tests.package.conftest import CLEAN, ROOT, run
from tests.package.upgrade import Database, code_of, database, lost, tags, upgrade
from tests.support.databases import SERVERS

pytestmark = pytest.mark.slow

CHAIN = sorted(
    f"{app}.{path.stem}"
    for app, folder in (("alguna_portal", "migrations"), ("alguna_sandbox", "sandbox/migrations"))
    for path in (ROOT / "alguna_portal" / folder).glob("0*.py")
)
ON_SERVERS = [pytest.param(name, marks=pytest.mark.services) for name in SERVERS]


def test_each_migration_is_tried(tmp_path: Path) -> None:
    """The list below is that of Django."""
    with database("sqlite", tmp_path) as own:
        assert own.do("chain")["chain"] == CHAIN


@pytest.mark.parametrize("migration", CHAIN)
@pytest.mark.parametrize("name", ["sqlite", *ON_SERVERS])
def test_rows_of_each_migration_are_kept_to_the_last(tmp_path: Path, name: str, migration: str) -> None:
    """Forwards nothing is lost and nothing is left to migrate; backwards nothing is left at all."""
    with database(name, tmp_path) as own:
        before = own.do("fill", migration)["rows"]
        assert before
        assert all(before.values())
        assert lost(before, own.do("upgrade")["rows"]) == []
        assert own.do("undo") == {"tables": []}


def test_rows_of_each_release_are_kept(tmp_path: Path) -> None:
    """Each tag's own code fills a database; where there is no tag, that is said."""
    try:
        releases = tags(ROOT)
    except LookupError as exc:
        pytest.skip(f"NO UPGRADE FROM A RELEASE WAS TRIED: {exc}.")
    if not releases:
        pytest.skip("NO UPGRADE FROM A RELEASE WAS TRIED: no tag v* leads here. Fetch the tags, if there are any.")
    for tag in releases:
        folder = tmp_path / tag
        folder.mkdir()
        with database("sqlite", folder) as own:
            assert upgrade(own, code_of(tag, ROOT, folder / "code")) == [], tag


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one release, of before the second migration."""
    repository = tmp_path / "repository"
    copy(repository)
    for migration in ("alguna_portal/migrations/000[2-9]*", "alguna_portal/sandbox/migrations/000[2-9]*"):
        for path in repository.glob(migration):
            path.unlink()
    who = (
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "tag.gpgsign=false",
    )
    for command in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "-m", "1"], [*who, "tag", "v0.0.1"]):
        run("git", *command, cwd=repository)
    run("git", "tag", "other", cwd=repository)
    return repository


def copy(folder: Path) -> None:
    """Copy the package."""
    shutil.copytree(ROOT / "alguna_portal", folder / "alguna_portal", ignore=shutil.ignore_patterns("__pycache__"))


def released(repository: Path, folder: Path) -> Path:
    """Lay out the code of the one release."""
    (tag,) = tags(repository)
    return code_of(tag, repository, folder / "old")


def test_a_release_is_found_by_its_tag_and_upgraded(repository: Path, tmp_path: Path) -> None:
    """What will be done with the releases to come, done with one that was made for it."""
    own = Database(settings={"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")})
    assert upgrade(own, released(repository, tmp_path)) == []


def test_a_migration_that_loses_a_row_is_seen(repository: Path, tmp_path: Path) -> None:
    """Otherwise the tests above could not fail."""
    (last,) = [each.partition(".")[2] for each in CHAIN if each.startswith("alguna_portal.")][-1:]
    new = tmp_path / "new"
    copy(new)
    (new / "alguna_portal" / "migrations" / "9999_careless.py").write_text(
        f"""
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("alguna_portal", "{last}")]
    operations = [migrations.RunSQL("DELETE FROM alguna_portal_membership")]
"""
    )
    own = Database(settings={"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")})
    (gone,) = upgrade(own, released(repository, tmp_path), new=new)
    assert gone.startswith("alguna_portal.Membership: ")


def test_without_a_repository_there_is_nothing_to_ask(tmp_path: Path) -> None:
    """As in an unpacked sdist: that is said, and not taken for a repository without tags."""
    with pytest.raises(LookupError, match="not a git repository"):
        tags(tmp_path)


def test_without_git_there_is_nobody_to_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same."""
    monkeypatch.setitem(CLEAN, "PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LookupError, match="there is no git"):
        tags(ROOT)
