"""What the log says, as tests ask for it."""

import logging
from typing import Any

import pytest

OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "event"}  # what every line has


def logged(caplog: pytest.LogCaptureFixture, event: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The lines of an event: level, text, and the fields beside it."""
    return [
        (
            record.levelname,
            record.getMessage(),
            {name: value for name, value in vars(record).items() if name not in OWN},
        )
        for record in caplog.records
        if getattr(record, "event", None) == event
    ]
