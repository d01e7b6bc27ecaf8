"""Runs the code blocks of pages, each page in its own Django project: `python -m tests.docs.page_runner`.

Reads JSON from stdin: the blocks of each page. Writes JSON to stdout: for each page a traceback, or "" if it ran.

The settings, URLs and files of a page are written first. Then its code and commands run in order, against a fake
Alguna, with `user` signed in to `client`. Finally its templates are rendered for `user`.
Each page runs in a process that is forked from this one, in which the imports that all pages need are done.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import tomllib
import traceback
from pathlib import Path
from typing import Any

import django.contrib.admin
import django.core.management
import django.db.backends.sqlite3.base
import django.db.models
import django.template.loader
import django.test
import requests  # noqa: F401  (imported once for all pages, like the others)
import standardwebhooks  # noqa: F401
import tenacity  # noqa: F401
from packaging.requirements import Requirement

from tests.docs.code_blocks import ROOT
from tests.docs.project_files import Step, get_files_and_steps, write_files

# The variables that pages read with `os.environ["…"]`.
ENVIRONMENT = {"ALGUNA_PORTAL_API_KEY": "key_1.secret", "ALGUNA_WEBHOOK_SECRET": "whsec_b25seS1mb3ItdGhlLWRvY3M="}


def main() -> None:
    """Read pages from stdin, run each of them and write their problems to stdout."""
    pages: dict[str, list[dict[str, Any]]] = json.load(sys.stdin)
    json.dump({page: _run_in_fork(page, blocks) for page, blocks in pages.items()}, sys.stdout)


def _run_in_fork(page: str, blocks: list[dict[str, Any]]) -> str:
    """Run a page in a child process; return its traceback, or "" if it succeeded."""
    read_end, write_end = os.pipe()
    if child := os.fork():
        os.close(write_end)
        with os.fdopen(read_end) as pipe:
            problem = pipe.read()
        _, status = os.waitpid(child, 0)
        return problem or (f"The process ended with {status}." if status else "")
    os.close(read_end)
    problem = ""
    try:
        with tempfile.TemporaryDirectory() as folder:
            _run_page(Path(folder), page, blocks)
    except BaseException:  # noqa: BLE001  (reported to the parent process)
        problem = traceback.format_exc()
    with os.fdopen(write_end, "w") as pipe:
        pipe.write(problem)
    os._exit(0)


def _run_page(project: Path, page: str, blocks: list[dict[str, Any]]) -> None:
    files, steps = get_files_and_steps(page, blocks)
    write_files(project, files)
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
            _run_step(step, names)


def _run_step(step: Step, names: dict[str, Any]) -> None:
    if step.kind == "python":
        # With empty lines before the code, tracebacks have the page's line numbers.
        exec(compile("\n" * (step.line - 1) + step.text, step.page, "exec"), names)
    elif step.kind == "sh":
        for line in step.text.replace("\\\n", "").splitlines():
            _run_command(shlex.split(line.partition("|")[0], comments=True))
    elif step.kind == "json":
        json.loads(step.text)
    else:
        _render_template(step.text, names)


def _run_command(words: list[str]) -> None:
    """Run a command of Django or Python. For make and pip, check that their targets and requirements exist."""
    match words:
        case []:
            pass
        case ["python", "manage.py", name, *arguments]:
            try:
                django.core.management.call_command(name, *arguments)
            except django.core.management.CommandError as exc:
                # The checks and the doctor ran; they rightly complain about a project that isn't ready for production.
                if "The doctor has found" not in str(exc) and "--deploy" not in arguments:
                    raise
        case ["python", "-c", code]:
            subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        case ["make", *_]:
            subprocess.run([words[0], "--dry-run", *words[1:]], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        case ["pip", "install", *requirements]:
            for requirement in requirements:
                _check_extras(Requirement(requirement))
        case _:
            raise LookupError(f"No test can run “{shlex.join(words)}”: mark it as not run, or as run by a test.")


def _check_extras(requirement: Requirement) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if requirement.name == project["name"] and requirement.extras - project["optional-dependencies"].keys():
        raise LookupError(f"{requirement} names an extra that doesn't exist.")


def _render_template(text: str, names: dict[str, Any]) -> None:
    """Render a template for the user. A template that extends another is only parsed."""
    from django.template import Context, Engine

    template = Engine.get_default().from_string(text)
    if "{% extends" not in text and not template.render(Context(names)).strip():
        raise AssertionError("The template renders nothing.")


if __name__ == "__main__":
    main()
