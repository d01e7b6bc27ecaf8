"""Log events with stable names: each record has the attribute `event` and the fields that are listed for it.

Fields contain primary keys and names, never an email address, a URL or a secret. `customer`, `user` and `link` are
primary keys, or None if there is no row. `error` is the class name of an exception. `seconds` is a duration.

portal_opened           info        customer, user, link, via, role, reused, seconds
portal_denied           info        customer, user, link, via, role
portal_unavailable      warning     customer, link, error, status, retry_after
portal_failed           error       customer, link, error, status
session_used_to_end     warning     customer, error: no new session could be created
sessions_not_forgotten  error       customer: the cache failed, so old sessions may still be reused
settings_doubted        warning     customer, plan: the portal opens without any permissions
call_repeated           warning     attempt, error, status, seconds until the next
breaker_opened          warning     failures, seconds: meanwhile, calls fail at once
run_paused              warning     error, seconds: a bulk command waits
cache_failed            warning     cache, error
access_not_recorded     error       customer, user, error
customer_provisioned    info        customer, how: “created” or “adopted”
customer_not_queued     error       customer, error
plan_changed            info        customer, plan: the current plan in Alguna
plan_not_mapped         warning     customer, plan_id: it isn't in ALGUNA_PORTAL_PLAN_IDS, so the plan isn't changed
webhook_refused         warning     reason: the signature is invalid, or the message is too old or unreadable
webhook_failed          error       delivery, type, receiver, error, at: file and line of the exception
webhook_not_kept        error       type, error: the database failed, so Alguna has to send it again
webhook_not_queued      error       delivery, error
link_mailed             info        link, customer
link_not_mailed         error       link, error
link_not_queued         error       link, error
link_not_renewed        error       link, error
link_not_answered       error       error: the page behind a mailed link failed
"""

from collections.abc import Callable
from typing import Any

# Shown in the message if there is no row.
WITHOUT_ROW = {"customer": "(unsaved)", "user": "(none)"}


def log_event(
    log: Callable[..., None],
    name: str,
    message: str,
    *,
    exc: BaseException | None = None,
    detail: object = "",
    **fields: Any,
) -> None:
    """Log an event: `log` is a method such as `logger.warning`, the fields become attributes of the record.

    The message names fields as `%(customer)s`. An exception becomes the field `error`, by its class name alone: its
    text and its traceback may contain secrets. `detail` is for the message only.
    """
    if exc is not None:
        fields["error"] = type(exc).__name__
    shown = {key: WITHOUT_ROW.get(key) if value is None else value for key, value in fields.items()}
    log(message, {**shown, "detail": detail}, extra={"event": name, **fields}, stacklevel=2)
