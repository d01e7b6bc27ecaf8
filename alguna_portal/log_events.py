"""What the log says, by names that stay as they are: each record has an `event`, and fields of its own, as `extra`.

Fields hold keys of ours and names, never an address, a URL or a secret: `customer`, `user` and `link` are primary
keys, None where there is no row; `error` is the name of an exception; `seconds` are how long it took, or lasts.

portal_opened           info        customer, user, link, via, role, reused, seconds
portal_denied           info        customer, user, link, via, role
portal_unavailable      warning     customer, link, error, status, retry_after
portal_failed           error       customer, link, error, status
session_used_to_end     warning     customer, error: no new one was to be had
sessions_not_forgotten  error       customer: the cache failed, and old sessions may still be given out
settings_doubted        warning     customer, plan: the portal opens without any powers
call_repeated           warning     attempt, error, status, seconds until the next
breaker_opened          warning     failures, seconds: nobody waits for Alguna meanwhile
run_paused              warning     error, seconds: a long command waits
cache_failed            warning     cache, error
access_not_recorded     error       customer, user, error
customer_provisioned    info        customer, how: “created” or “adopted”
customer_not_queued     error       customer, error
plan_changed            info        customer, plan: as Alguna has it now
plan_not_mapped         warning     customer, plan_id: ALGUNA_PORTAL_PLAN_IDS lacks it, and the plan is left
webhook_refused         warning     reason: not signed by Alguna, too old, or not to be read
webhook_failed          error       delivery, type, receiver, error, at: the file and the line
webhook_not_kept        error       type, error: the database, and Alguna is to send it again
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
