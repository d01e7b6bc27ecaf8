"""The demo's mailbox: mails that would have been sent are files, one each, which a page shows."""

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

from example_project.studio.conf import mailbox


class EmailBackend(BaseEmailBackend):
    """Keeps each mail as a file. Django's own file backend has one file for all mails of a connection."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep the mails; names sort by time, and a reader never meets half a file."""
        folder = mailbox()
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            whole = folder / f"{time_ns()}-{token_hex(4)}.eml"
            part = whole.with_suffix(".part")
            part.write_bytes(message.message().as_bytes())
            part.rename(whole)
        return len(email_messages)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A mail as its reader has it; `html` is empty where it has none."""

    name: str
    to: str
    sender: str
    subject: str
    sent_at: datetime
    text: str
    html: str


def letters() -> list[Letter]:
    """Read all mails, the newest first."""
    return [_read(path) for path in sorted(mailbox().glob("*.eml"), reverse=True)]


def letter(name: str) -> Letter | None:
    """Read one mail by its name, which must not lead out of the folder; None where there is none."""
    path = mailbox() / f"{name}.eml"
    return _read(path) if path.is_file() else None


def _read(path: Path) -> Letter:
    message = message_from_bytes(path.read_bytes(), policy=default)
    return Letter(
        name=path.stem,
        to=str(message["To"] or ""),
        sender=str(message["From"] or ""),
        subject=str(message["Subject"] or ""),
        sent_at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
        text=_body(message, "plain"),
        html=_body(message, "html"),
    )


def _body(message: Message, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else ""
