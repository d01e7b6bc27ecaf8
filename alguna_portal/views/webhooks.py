"""Where Alguna tells what has changed: verified, kept, and handled at once or by a worker.

Answers are short, since nobody reads them: 204 where the message is kept or handled, 400 where it is none of Alguna's,
503 where somebody who had to handle it failed, or is still at it, and Alguna should send it again.
"""

import logging

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotFound, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from alguna_portal.conf import conf
from alguna_portal.log_events import log_event
from alguna_portal.transactions import non_atomic
from alguna_portal.webhooks.inbox import receive_message
from alguna_portal.webhooks.signatures import LARGEST_BODY, InvalidMessage, parse_message

from .responses import uncached, unlogged

logger = logging.getLogger(__name__)

RETRY_AFTER = 30  # seconds; Svix has a schedule of its own, other senders may not


@csrf_exempt
@non_atomic
@uncached
@login_not_required
@sensitive_variables("secrets", "message")
def webhook(request: HttpRequest) -> HttpResponse:
    """Take a message from Alguna; without a secret in `WEBHOOK_SECRETS` there is nothing here."""
    secrets = conf.WEBHOOK_SECRETS
    if not secrets:
        return HttpResponseNotFound()
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        message = parse_message(
            {name.lower(): value for name, value in request.headers.items()}, _body(request), secrets
        )
    except InvalidMessage as exc:
        log_event(logger.warning, "webhook_refused", "A webhook was refused. %(reason)s", reason=str(exc))
        return unlogged(HttpResponse(status=400))
    if receive_message(message):
        return HttpResponse(status=204)
    # Logged where it failed.
    return unlogged(HttpResponse(status=503, headers={"Retry-After": str(RETRY_AFTER)}))


def _body(request: HttpRequest) -> bytes:
    """Read the body, however large it says it is, up to the largest that is of use."""
    try:
        body = request.read(LARGEST_BODY + 1)
    except (OSError, RequestDataTooBig, UnreadablePostError):
        raise InvalidMessage("It broke off.") from None
    if len(body) > LARGEST_BODY:
        raise InvalidMessage(f"It has more than {LARGEST_BODY} bytes.")
    # Whoever comes after, such as a middleware that keeps requests, may want it, too.
    request._body = body  # noqa: SLF001
    return body
