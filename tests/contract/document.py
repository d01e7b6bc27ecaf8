"""The OpenAPI document, and validation of requests and responses against it."""

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
SESSION = {
    "id": "a8B3kLmQ",
    "customer_id": "cust_abc123",
    "url": "https://portal.alguna.io/hs/abc123",
    "created_at": "2026-04-01T10:00:00Z",
    "expires_at": "2026-04-01T11:00:00Z",
}

Document = dict[str, Any]


@cache
def load_document() -> Document:
    """Return the document; don't change it."""
    document: Document = yaml.safe_load(PATH.read_text())
    return document


def get_documented_responses() -> set[tuple[str, int]]:
    """Return all pairs of an operation and a status of its responses."""
    return {
        (operation["operationId"], int(status))
        for path in load_document()["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
        for status in operation["responses"]
    }


@cache
def get_contract() -> "Contract":
    """Return the contract, which is slow to create."""
    return Contract()


class Contract:
    """Validates requests and responses of an API at any URL against the document."""

    def __init__(self) -> None:
        self._api = OpenAPI.from_dict(load_document())
        self._finder = APICallPathFinder(self._api.spec)

    def check_request(self, request: requests.PreparedRequest, *, at: str) -> None:
        """Raise OpenAPIError if a request to the API at a URL is invalid."""
        self._api.validate_request(_MovedRequest(request, at))

    def find_error(self, request: requests.PreparedRequest, *, at: str) -> OpenAPIError | None:
        """Return the error in a request, or None if it is valid."""
        try:
            self.check_request(request, at=at)
        except OpenAPIError as error:
            return error
        return None

    def check_response(self, response: requests.Response, *, at: str) -> None:
        """Raise OpenAPIError if a response is invalid; its request may be invalid."""
        self._api.validate_response(_MovedRequest(response.request, at), RequestsOpenAPIResponse(response))

    def get_operation(self, request: requests.PreparedRequest, *, at: str) -> str:
        """Return the operation id of a request."""
        moved_request = _MovedRequest(request, at)
        found = self._finder.find(moved_request.method, f"{moved_request.host_url}{moved_request.path}")
        return str((found.operation / "operationId").read_value())


class _MovedRequest(RequestsOpenAPIRequest):
    """A request whose URL is changed to the first server in the document."""

    def __init__(self, request: requests.PreparedRequest, at: str) -> None:
        moved = request.copy()
        assert moved.url
        assert moved.url.startswith(at)
        moved.url = SERVER + moved.url.removeprefix(at)
        super().__init__(moved)
