"""Runs the blocks of pages, each page in a Django project made for it: `python -m tests.docs.page_runner` asks for JSON.

What a page says of settings, URLs and files is put into the project first. Then its code and its commands run in their
order, against a fake Alguna, with `user` signed in to `client`; in the end its templates are rendered for them.
Each page has a process of its own, forked from one that has imported what they all need.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import django.contrib.admin
import django.core.management
import django.db.backends.sqlite3.base
import django.db.models
import django.template.loader
import django.test
import requests  # noqa: F401  (imported once for all pages, as the others)
import standardwebhooks  # noqa: F401
import tenacity  # noqa: F401
from packaging.requirements import Requirement

from tests.docs.project_files import Step, laid_out

ROOT = Path(__file__).resolve().parents[2]
# What pages take from the environment, as `os.environ["…"]`.
ENVIRONMENT = {"ALGUNA_PORTAL_API_KEY": "key_1.secret", "ALGUNA_WEBHOOK_SECRET": "whsec_b25seS1mb3ItdGhlLWRvY3M="}


def main() -> None:
    """Read pages with their blocks, run each page, and write what failed."""
    asked: dict[str, list[dict[str, Any]]] = json.load(sys.stdin)
    json.dump({page: _in_a_child(page, blocks) for page, blocks in asked.items()}, sys.stdout)


def _in_a_child(page: str, blocks: list[dict[str, Any]]) -> str:
    """Run a page in a process of its own; return what went wrong, and nothing where nothing did."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading) as said:
            problem = said.read()
        _, status = os.waitpid(child, 0)
        return problem or (f"The process ended with {status}." if status else "")
    os.close(reading)
    problem = ""
    try:
        with tempfile.TemporaryDirectory() as folder:
            _run(Path(folder), page, blocks)
    except BaseException:  # noqa: BLE001  (whatever it is, it is told)
        problem = traceback.format_exc()
    with os.fdopen(writing, "w") as told:
        told.write(problem)
    os._exit(0)


def _run(project: Path, page: str, blocks: list[dict[str, Any]]) -> None:
    files, steps = laid_out(page, blocks)
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    os.chdir(project)
    sys.path.insert(0, str(project))
    sys.stdout = sys.stderr
    os.environ |= ENVIRONMENT | {"DJANGO_SETTINGS_MODULE": "settings"}
    django.setup()
    django.core.management.call_command("migrate", run_syncdb=True, verbosity=0)
    django.core.management.call_command("check", verbosity=0)

    from django.contrib.auth.models import User
    from django.test import Client, RequestFactory
    from django.test.utils import setup_test_environment

    from alguna_portal.testing import fake_alguna

    setup_test_environment(debug=True)
    user = User.objects.create_superuser("ada", "ada@acme.example", "secret")
    client, request = Client(), RequestFactory().get("/")
    client.force_login(user)
    request.user = user
    with fake_alguna(webhook_secret=ENVIRONMENT["ALGUNA_WEBHOOK_SECRET"]) as alguna:
        names: dict[str, Any] = {"alguna": alguna, "client": client, "user": user, "request": request}
        for step in steps:
            _take(step, names)


def _take(step: Step, names: dict[str, Any]) -> None:
    """Take one step; whatever goes wrong names the line of the page."""
    if step.kind == "python":
        # Empty lines before it, so that a traceback has the page's numbers.
        exec(compile("\n" * (step.line - 1) + step.text, step.page, "exec"), names)
    elif step.kind == "sh":
        for line in step.text.replace("\\\n", "").splitlines():
            _command(shlex.split(line.partition("|")[0], comments=True))
    elif step.kind == "json":
        json.loads(step.text)
    else:
        _render(step.text, names)


def _command(words: list[str]) -> None:
    """Run a command of Django's; of others, see that there is what they name."""
    match words:
        case []:
            pass
        case ["python", "manage.py", name, *arguments]:
            try:
                django.core.management.call_command(name, *arguments)
            except django.core.management.CommandError as exc:
                # Verdicts on a project that was made a moment ago, and is none to deploy. Both have looked.
                if "The doctor has found" not in str(exc) and "--deploy" not in arguments:
                    raise
        case ["python", "-c", code]:
            subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        case ["make", *_]:
            subprocess.run([words[0], "--dry-run", *words[1:]], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        case ["pip", "install", *wanted]:
            for each in wanted:
                _installable(Requirement(each))
        case _:
            raise LookupError(
                f"Nobody here knows how to run “{shlex.join(words)}”: mark it as not run, or as run by a test."
            )


def _installable(wanted: Requirement) -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if wanted.name == project["name"] and wanted.extras - project["optional-dependencies"].keys():
        raise LookupError(f"{wanted} names an extra that there is not.")


def _render(text: str, names: dict[str, Any]) -> None:
    """Render a template for the user; a template that extends another only has to be one."""
    from django.template import Context, Engine

    made = Engine.get_default().from_string(text)
    if "{% extends" not in text and not made.render(Context(names)).strip():
        raise AssertionError("There is nothing to be seen of the template.")


if __name__ == "__main__":
    main()
