"""Reading what a client sent, field by field; every refusal names the field."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from .types import JSON, Answer, ApiError, json_answer

# --- from alguna_portal.sandbox.engine.pagination


def page(records: Sequence[JSON], query: Mapping[str, str]) -> Answer:
    """Return the part of the records that the query string asks for; at most 100."""
    limit = number(query, "limit", default=50, least=1, most=100)
    offset = number(query, "offset", default=0, least=0, most=999_999_999)
    return json_answer(
        {
            "data": list(records[offset : offset + limit]),
            "pagination": {"per_page": limit, "total_pages": math.ceil(len(records) / limit)},
        }
    )


_NUMBER = re.compile(r"[0-9]{1,9}")
# PostgreSQL stores none. The backslashes before are counted: an escaped one begins no escape.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def decode(body: bytes) -> "Fields":
    """Return the fields of a JSON object; raise 400 where it is no JSON, 422 where it is no object."""
    try:
        data = json.loads(body, parse_constant=_refuse_constant)
        # What cannot be written again, lone surrogates, could not be stored or shown either.
        text = json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "The request body is not valid JSON.") from error
    if _NUL.search(text):
        raise ApiError(400, "The request body must not contain a NUL character.")
    if not isinstance(data, dict):
        raise ApiError(422, "The request body must be an object.")
    return Fields(data)


def number(query: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    """Return a whole number of the query string, the default where it is absent."""
    given = query.get(name)
    if given is None:
        return default
    if not _NUMBER.fullmatch(given) or not least <= int(given) <= most:
        raise ApiError(422, f"{name} must be a whole number from {least} to {most}.")
    return int(given)


@dataclass(frozen=True)
class Fields:
    """The fields of one JSON object; `where` is the path that leads to it, for the refusals."""

    data: JSON
    where: str = ""

    def has(self, name: str) -> bool:
        """Tell whether the field was sent at all, `null` included."""
        return name in self.data

    def wrong(self, name: str, rule: str) -> ApiError:
        """Return the refusal of a field."""
        return ApiError(422, f"{self.where}{name} {rule}.")

    def only(self, names: Iterable[str]) -> None:
        """Refuse fields of any other name: in development a typo should be seen."""
        known = sorted(names)
        for name in self.data:
            if name not in known:
                raise self.wrong(name, f"is not a known field (known: {', '.join(known)})")

    def text(self, name: str) -> str:
        """Return a field that must be there, as text that is not blank."""
        if self.data.get(name) is None:
            raise self.wrong(name, "is required")
        return self.text_or_none(name) or ""

    def text_or_none(self, name: str) -> str | None:
        """Return a field as text that is not blank, None where it is absent or `null`."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(name, "must be a string that is not blank")
        return value

    def code(self, name: str, standard: str) -> str:
        """Return a code of three capital letters that must be there."""
        value = self.text(name)
        if not re.fullmatch("[A-Z]{3}", value):
            raise self.wrong(name, f"must be a code of {standard}: three capital letters")
        return value

    def email(self, name: str) -> str:
        """Return an e-mail address that must be there."""
        value = self.text(name)
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
            raise self.wrong(name, "must be an e-mail address")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean that must be there."""
        value = self.data.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def texts(self, name: str, *, longest: int) -> list[str]:
        """Return a list of strings without repeats, empty where it is absent or `null`."""
        value = self.data.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list of strings")
        for item in value:
            if not isinstance(item, str) or not item.strip() or len(item) > longest:
                raise self.wrong(name, f"must hold strings of 1 to {longest} characters")
        return list(dict.fromkeys(value))

    def inner(self, name: str) -> "Fields":
        """Return the fields of an object that must be there."""
        value = self.data.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object")
        return Fields(value, f"{self.where}{name}.")

    def inners(self, name: str) -> list["Fields"]:
        """Return the fields of each object in a list, empty where it is absent."""
        value = self.data.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(name, "must be a list of objects")
        return [Fields(item, f"{self.where}{name}[{index}].") for index, item in enumerate(value)]
