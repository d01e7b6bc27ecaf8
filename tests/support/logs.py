"""Helper that finds log events in the captured log."""

import logging
from typing import Any

import pytest

# The fields of every record.
STANDARD_FIELDS = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "event"}


def get_log_events(caplog: pytest.LogCaptureFixture, event: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return level, message and additional fields of each record of an event."""
    return [
        (
            record.levelname,
            record.getMessage(),
            {name: value for name, value in vars(record).items() if name not in STANDARD_FIELDS},
        )
        for record in caplog.records
        if getattr(record, "event", None) == event
    ]
