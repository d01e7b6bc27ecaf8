"""A form field for JSON that refuses what Django's own field stumbles over."""

import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput


class JSONField(forms.JSONField):
    """JSON that can be stored and shown again: no endless nesting or number, and no half of a surrogate pair."""

    def to_python(self, value: Any) -> Any:
        """Read what was typed; refuse what cannot be written again."""
        try:
            return _writable(lambda: super(JSONField, self).to_python(value))
        except (RecursionError, ValueError):
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what to show again: as it was typed, where it was refused."""
        try:
            return _writable(lambda: super(JSONField, self).bound_data(data, initial))
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)


def _writable(read: Callable[[], Any]) -> Any:
    value = read()
    # As it is shown, and sent to the database.
    json.dumps(value, ensure_ascii=False).encode()
    return value
