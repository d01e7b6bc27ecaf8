"""Webhook endpoint for Alguna's messages.

Responses have no body: 204 if the message is stored or handled, 400 if it's invalid, and 503 if a receiver failed or is
still running, so that Alguna sends the message again.
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

RETRY_AFTER = 30  # seconds; Svix uses its own schedule, but other senders may not


@csrf_exempt
@non_atomic
@uncached
@login_not_required
@sensitive_variables("secrets", "message", "headers")
def webhook(request: HttpRequest) -> HttpResponse:
    """Receive a message from Alguna. Return 404 if `WEBHOOK_SECRETS` is empty."""
    secrets = conf.WEBHOOK_SECRETS
    if not secrets:
        return HttpResponseNotFound()
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        message = parse_message(headers, _read_body(request), secrets)
    except InvalidMessage as exc:
        log_event(logger.warning, "webhook_refused", "A webhook was refused. %(reason)s", reason=str(exc))
        return unlogged(HttpResponse(status=400))
    if receive_message(message):
        return HttpResponse(status=204)
    # The failure has been logged where it occurred.
    return unlogged(HttpResponse(status=503, headers={"Retry-After": str(RETRY_AFTER)}))


def _read_body(request: HttpRequest) -> bytes:
    """Read at most `LARGEST_BODY` bytes, regardless of the `Content-Length` header."""
    try:
        body = request.read(LARGEST_BODY + 1)
    except (OSError, RequestDataTooBig, UnreadablePostError):
        raise InvalidMessage("It broke off.") from None
    if len(body) > LARGEST_BODY:
        raise InvalidMessage(f"It has more than {LARGEST_BODY} bytes.")
    # For code that reads `request.body` later, such as a middleware that stores requests.
    request._body = body  # noqa: SLF001
    return body
