"""The OpenAPI document, and what it says of requests and answers that were really exchanged."""

from functools import cache
from pathlib import Path
from typing import Any

import requests
import yaml
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.finders import APICallPathFinder

import alguna_portal.sandbox

PATH = Path(alguna_portal.sandbox.__file__).with_name("openapi.yaml")
SERVER = "https://api.alguna.io"

Document = dict[str, Any]


@cache
def document() -> Document:
    """Return the document, not to be changed."""
    loaded: Document = yaml.safe_load(PATH.read_text())
    return loaded


def every_answer() -> set[tuple[str, int]]:
    """Return all operations, each with every status that it may answer."""
    return {
        (operation["operationId"], int(status))
        for path in document()["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
        for status in operation["responses"]
    }


@cache
def contract() -> "Contract":
    """Return the one contract of this process: it is slow to read and quick to ask."""
    return Contract()


class Contract:
    """The document as a judge of the traffic with an API, wherever that is mounted."""

    def __init__(self) -> None:
        self._api = OpenAPI.from_dict(document())
        self._finder = APICallPathFinder(self._api.spec)

    def check_request(self, request: requests.PreparedRequest, *, at: str) -> None:
        """Raise what is wrong with a request to the API at an address."""
        self._api.validate_request(_Exchanged(request, at))

    def objection(self, request: requests.PreparedRequest, *, at: str) -> OpenAPIError | None:
        """Return what is wrong with a request, None where nothing is."""
        try:
            self.check_request(request, at=at)
        except OpenAPIError as error:
            return error
        return None

    def check_answer(self, response: requests.Response, *, at: str) -> None:
        """Raise what is wrong with the answer to a request, be that as wrong as it may."""
        self._api.validate_response(_Exchanged(response.request, at), RequestsOpenAPIResponse(response))

    def operation(self, request: requests.PreparedRequest, *, at: str) -> str:
        """Return the id of the operation that a request asks for."""
        asked = _Exchanged(request, at)
        found = self._finder.find(asked.method, f"{asked.host_url}{asked.path}")
        return str((found.operation / "operationId").read_value())


class _Exchanged(RequestsOpenAPIRequest):
    """A request to the API at an address, as if that were the first of the document's servers."""

    def __init__(self, request: requests.PreparedRequest, at: str) -> None:
        moved = request.copy()
        assert moved.url
        assert moved.url.startswith(at)
        moved.url = SERVER + moved.url.removeprefix(at)
        super().__init__(moved)
