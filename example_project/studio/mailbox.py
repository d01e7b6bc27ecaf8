"""The demo's mailbox: an email backend that stores each email in a file, and functions that read the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage as Message
from email.policy import default
from pathlib import Path
from secrets import token_hex
from time import time_ns

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from example_project.studio.conf import get_mailbox_path


class EmailBackend(BaseEmailBackend):
    """Stores each email in its own file. Django's file backend writes all emails of a connection to one file."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Store the emails. File names sort by time, and files get their final names when they are complete."""
        folder = get_mailbox_path()
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            path = folder / f"{time_ns()}-{token_hex(4)}.eml"
            incomplete = path.with_suffix(".part")
            incomplete.write_bytes(message.message().as_bytes())
            incomplete.rename(path)
        return len(email_messages)


@dataclass(frozen=True, kw_only=True)
class StoredEmail:
    """An email in the mailbox; `html` is empty if it has no HTML part."""

    name: str
    to: str
    sender: str
    subject: str
    sent_at: datetime
    text: str
    html: str


def get_emails() -> list[StoredEmail]:
    """Return all emails, the newest first."""
    return [_parse_file(path) for path in sorted(get_mailbox_path().glob("*.eml"), reverse=True)]


def find_email(name: str) -> StoredEmail | None:
    """Return an email by its file name without suffix, or None. The name must not contain path separators."""
    path = get_mailbox_path() / f"{name}.eml"
    return _parse_file(path) if path.is_file() else None


def _parse_file(path: Path) -> StoredEmail:
    message = message_from_bytes(path.read_bytes(), policy=default)
    return StoredEmail(
        name=path.stem,
        to=str(message["To"] or ""),
        sender=str(message["From"] or ""),
        subject=str(message["Subject"] or ""),
        sent_at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
        text=_get_body(message, "plain"),
        html=_get_body(message, "html"),
    )


def _get_body(message: Message, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else ""
