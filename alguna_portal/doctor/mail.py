"""Mail: whether a link would leave the machine, and from whom. Nothing is sent."""

from typing import Any

from django.conf import settings
from django.core import mail
from django.core.mail.backends import console, dummy, filebased, locmem, smtp
from django.utils.module_loading import import_string

from alguna_portal.api import transport

from .context import Visit
from .report import Finding, Findings, error, note, ok, skipped, warning

SENDER = "webmaster@localhost"  # Django's default
SMTP = "django.core.mail.backends.smtp.EmailBackend"
GO_NOWHERE = {
    # Before the console's, which it is made from.
    filebased.EmailBackend: "mails are put into files, and their links with them",
    console.EmailBackend: "mails are printed, and their links with them",
    dummy.EmailBackend: "mails are thrown away",
    locmem.EmailBackend: "mails stay in memory",
}


def look(visit: Visit) -> Findings:
    """Look at the backend, the sender, and whether the server lets us in; at nothing where no links can be mailed."""
    if not getattr(settings, "ALGUNA_PORTAL_SITE_URL", ""):
        for name in ("mail.backend", "mail.sender", "mail.server"):
            yield skipped(name, "Not looked at: without ALGUNA_PORTAL_SITE_URL no links are mailed.")
        return
    try:
        path = _backend()
        backend: type[Any] = import_string(path)
    except Exception as exc:  # noqa: BLE001  (the host's module is imported, and may fail in any way)
        remedy = "Set MAILERS, with a “default” in it." if hasattr(mail, "mailers") else "Check EMAIL_BACKEND."
        yield error("mail.backend", f"There is no mail backend that can be used ({type(exc).__name__}).", remedy)
        return
    yield _goes_out(path, backend, visit)
    yield _sender(visit)
    yield _lets_in(backend, visit)


def _backend() -> str:
    """Return the path of the backend, which is not made: one that writes files would begin with that."""
    # From 6.1 on, Django has MAILERS, and refuses to read the old name beside it.
    mailers: dict[str, Any] | None = getattr(settings, "MAILERS", None)
    return str(settings.EMAIL_BACKEND if mailers is None else mailers["default"].get("BACKEND", SMTP))


def _goes_out(path: str, backend: type[Any], visit: Visit) -> Finding:
    name = "mail.backend"
    where = next((where for kind, where in GO_NOWHERE.items() if issubclass(backend, kind)), None)
    if where is None:
        return ok(name, f"Mails go through {path}.")
    if visit.debug:
        return note(name, f"Nothing is sent: {where}. For development that will do.")
    remedy = "Set the mail server, in MAILERS or, before Django 6.1, in EMAIL_BACKEND and the settings beside it."
    return warning(name, f"Nothing is sent: {where}.", remedy)


def _sender(visit: Visit) -> Finding:
    if SENDER in settings.DEFAULT_FROM_EMAIL:
        found = f"Mails are from {SENDER}, which mail servers refuse, and nobody can answer."
        level = note if visit.debug else warning
        return level("mail.sender", found, "Set DEFAULT_FROM_EMAIL to an address of yours.")
    return ok("mail.sender", "Mails have a sender of yours.")


def _lets_in(backend: type[Any], visit: Visit) -> Finding:
    """Connect, sign in and hang up, as far as the backend is one of which we know that this is all it does."""
    name = "mail.server"
    if not issubclass(backend, smtp.EmailBackend):
        return skipped(name, "Not a mail server: only sending would try it.")
    if visit.offline:
        return skipped(name, "The mail server was not asked, since the doctor is offline.")
    seconds = visit.seconds()

    def connect() -> None:
        connection: Any = mail.mailers.default if hasattr(mail, "mailers") else mail.get_connection()
        connection.timeout = min(connection.timeout or seconds, seconds)
        try:
            connection.open()
        finally:
            connection.close()

    try:
        transport.run_within(seconds, connect)
    except Exception as exc:  # noqa: BLE001  (backends raise what they like, with addresses in the text)
        remedy = "Check host, port, TLS, user and password, and that this machine may reach the server."
        return error(name, f"The mail server does not let us in ({type(exc).__name__}).", remedy)
    return ok(name, "The mail server lets us in. Nothing was sent.")
