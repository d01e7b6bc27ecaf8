"""The steps every request takes: gateway, version, route, body."""

import subprocess
import sys

import pytest

from alguna_portal.sandbox.engine.engine import Engine
from alguna_portal.sandbox.engine.types import Request, Response, new_state, utc_now
from tests.sandbox.conftest import HEADERS, Alguna, read


@pytest.mark.parametrize(
    "authorization",
    [None, "", "sandbox.secret", "Basic sandbox.secret", "Bearer", "Bearer ", "Bearer sandbox.secreT", "Bearer é"],
)
def test_no_valid_key_stops_at_the_gateway_whatever_else_is_wrong(alguna: Alguna, authorization: str | None) -> None:
    """The gateway's 401 has its own shape and comes before version, path and body."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = read(alguna.ask("PUT", "/nowhere", b"{", headers=headers), status=401)
    assert answer["code"] == "unauthenticated"
    assert set(answer) == {"code", "message"}


def test_an_empty_api_key_lets_nobody_in() -> None:
    """A key that was set to nothing is no key."""
    engine = Engine(state=new_state(), api_key="", portal_url="https://portal.test")
    answer = engine.handle(Request(method="GET", path="/customers", headers={"Authorization": "Bearer "}))
    assert answer.status == 401


def test_header_names_and_the_scheme_have_no_case() -> None:
    """Servers and libraries spell header names as they like."""
    engine = Engine(state=new_state(), api_key="a.b", portal_url="https://portal.test")
    headers = {"AUTHORIZATION": "bearer a.b", "alguna-version": "2026-04-01"}
    assert engine.handle(Request(method="GET", path="/customers", headers=headers)).status == 200


@pytest.mark.parametrize("version", [None, "", "2025-01-01"])
def test_a_missing_or_unknown_version_is_refused_with_a_title(alguna: Alguna, version: str | None) -> None:
    """Version errors carry the whole problem shape."""
    headers = {"Authorization": HEADERS["Authorization"]}
    if version is not None:
        headers["Alguna-Version"] = version
    answer = read(alguna.ask("GET", "/customers", headers=headers), status=400)
    assert set(answer) == {"detail", "status", "title", "type"}
    assert answer["status"] == 400
    assert answer["type"] == "about:blank"


@pytest.mark.parametrize("path", ["/", "", "/nowhere", "/customers/", "/customer-portal-sessions/", "/subscriptions/x"])
def test_an_unknown_path_is_not_found(alguna: Alguna, path: str) -> None:
    """A trailing slash makes another path, too; ordinary errors have no title."""
    assert set(read(alguna.ask("GET", path), status=404)) == {"detail", "status"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/customer-portal-sessions", "POST"),
        ("DELETE", "/customers", "GET, POST"),
        ("PUT", "/customers/x", "GET, PATCH"),
        ("PATCH", "/customers/lookup", "GET"),
        ("POST", "/subscriptions", "GET"),
        ("HEAD", "/customers", "GET, POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(alguna: Alguna, method: str, path: str, allowed: str) -> None:
    """405 names what is allowed."""
    answer = alguna.ask(method, path)
    assert answer.status == 405
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"a": NaN}', b'{"name": "\\ud800"}', b'{"name": "\\u0000"}', b"[" * 100_000],
)
def test_a_body_that_cannot_be_kept_as_json_is_a_bad_request(alguna: Alguna, body: bytes) -> None:
    """Malformed JSON is 400, and so is what no database would store."""
    assert read(alguna.ask("POST", "/customers", body), status=400)["status"] == 400


def test_a_backslash_before_u0000_is_text_and_no_nul(alguna: Alguna) -> None:
    r"""The six characters \u0000 may well be in a name."""
    assert alguna.customer(name="\\u0000")["name"] == "\\u0000"


@pytest.mark.parametrize("body", [[], "text", 1, None])
def test_a_body_that_is_no_object_is_unprocessable(alguna: Alguna, body: object) -> None:
    """Valid JSON of the wrong kind is 422."""
    assert read(alguna.ask("POST", "/customers", body), status=422)["detail"].endswith("an object.")


@pytest.mark.parametrize(("path", "query"), [("/customers/a\0", {}), ("/customers", {"email": "\0"})])
def test_a_nul_in_the_url_is_a_bad_request(alguna: Alguna, path: str, query: dict[str, str]) -> None:
    """PostgreSQL would fall over it."""
    read(alguna.ask("GET", path, query=query), status=400)


@pytest.mark.parametrize(("status", "transient"), [(503, "true"), (429, "true"), (403, None)])
def test_a_planned_fault_stands_instead_of_the_answer(alguna: Alguna, status: int, transient: str | None) -> None:
    """Only 5xx and 429 say that the same request may succeed later."""
    alguna.outages.append(Response(status=status, body=b"<html>"))
    answer = alguna.ask("GET", "/customers")
    assert (answer.status, answer.body) == (status, b"<html>")
    assert answer.headers.get("Transient-Error") == transient
    assert alguna.ask("GET", "/customers").status == 200


def test_the_default_clock_knows_its_zone() -> None:
    """Times are UTC from the start."""
    assert utc_now().utcoffset() is not None


def test_the_engine_needs_no_django() -> None:
    """It is to run under an HTTP library alike, so nothing that it uses may bring Django in."""
    program = (
        "import sys; from alguna_portal.sandbox.engine import engine, events, portal;"
        "sys.exit(any(name.partition('.')[0] == 'django' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
