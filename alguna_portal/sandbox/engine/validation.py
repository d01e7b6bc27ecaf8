"""Validation of JSON bodies and query parameters, and pagination; each error names the invalid field."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from .types import JSON, ApiError, Response, json_response

_NUMBER = re.compile(r"[0-9]{1,9}")
# PostgreSQL can't store NUL. An even number of backslashes before it escape each other.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def parse_body(body: bytes) -> "Fields":
    """Return the fields of a JSON object; raise ApiError 400 for invalid JSON and 422 for other JSON values."""
    try:
        data = json.loads(body, parse_constant=_reject_constant)
        # Lone surrogates can be parsed but not encoded again, so they couldn't be stored.
        text = json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "The request body is not valid JSON.") from error
    if _NUL.search(text):
        raise ApiError(400, "The request body must not contain a NUL character.")
    if not isinstance(data, dict):
        raise ApiError(422, "The request body must be an object.")
    return Fields(data)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)


def paginate(records: Sequence[JSON], query: Mapping[str, str]) -> Response:
    """Return the page of records that `limit` (at most 100) and `offset` select."""
    limit = _parse_number(query, "limit", default=50, minimum=1, maximum=100)
    offset = _parse_number(query, "offset", default=0, minimum=0, maximum=999_999_999)
    return json_response(
        {
            "data": list(records[offset : offset + limit]),
            "pagination": {"per_page": limit, "total_pages": math.ceil(len(records) / limit)},
        }
    )


def _parse_number(query: Mapping[str, str], name: str, *, default: int, minimum: int, maximum: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or not minimum <= int(text) <= maximum:
        raise ApiError(422, f"{name} must be a whole number from {minimum} to {maximum}.")
    return int(text)


@dataclass(frozen=True)
class Fields:
    """The fields of a JSON object; `prefix` is the path to it in error messages.

    The methods that return values raise ApiError 422.
    """

    data: JSON
    prefix: str = ""

    def has(self, name: str) -> bool:
        """Return whether a field was sent, even if it is `null`."""
        return name in self.data

    def create_error(self, name: str, problem: str) -> ApiError:
        """Return the error for a field."""
        return ApiError(422, f"{self.prefix}{name} {problem}.")

    def reject_unknown(self, names: Iterable[str]) -> None:
        """Raise ApiError 422 for a field that isn't in `names`, so that developers notice typos."""
        known = sorted(names)
        for name in self.data:
            if name not in known:
                raise self.create_error(name, f"is not a known field (known: {', '.join(known)})")

    def get_text(self, name: str) -> str:
        """Return a required string that isn't blank."""
        if self.data.get(name) is None:
            raise self.create_error(name, "is required")
        return self.get_optional_text(name) or ""

    def get_optional_text(self, name: str) -> str | None:
        """Return a string that isn't blank, or None if it is absent or `null`."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self.create_error(name, "must be a string that is not blank")
        return value

    def get_code(self, name: str, standard: str) -> str:
        """Return a required code of three capital letters."""
        value = self.get_text(name)
        if not re.fullmatch("[A-Z]{3}", value):
            raise self.create_error(name, f"must be a code of {standard}: three capital letters")
        return value

    def get_email(self, name: str) -> str:
        """Return a required email address."""
        value = self.get_text(name)
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
            raise self.create_error(name, "must be an e-mail address")
        return value

    def get_bool(self, name: str) -> bool:
        """Return a required boolean."""
        value = self.data.get(name)
        if not isinstance(value, bool):
            raise self.create_error(name, "must be true or false")
        return value

    def get_texts(self, name: str, *, max_length: int) -> list[str]:
        """Return a list of strings without duplicates; it is empty if the field is absent or `null`."""
        value = self.data.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.create_error(name, "must be a list of strings")
        for item in value:
            if not isinstance(item, str) or not item.strip() or len(item) > max_length:
                raise self.create_error(name, f"must hold strings of 1 to {max_length} characters")
        return list(dict.fromkeys(value))

    def get_object(self, name: str) -> "Fields":
        """Return the fields of a required object."""
        value = self.data.get(name)
        if not isinstance(value, dict):
            raise self.create_error(name, "must be an object")
        return Fields(value, f"{self.prefix}{name}.")

    def get_objects(self, name: str) -> list["Fields"]:
        """Return the fields of each object in a list; it is empty if the field is absent."""
        value = self.data.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.create_error(name, "must be a list of objects")
        return [Fields(item, f"{self.prefix}{name}[{index}].") for index, item in enumerate(value)]
