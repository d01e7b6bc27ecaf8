"""What went wrong, for scripts: problem documents (RFC 9457) with the texts of the pages.

`type` tells them apart and stays as it is; `title` and `detail` are for people, in their language. What a kind has
beyond these is said below. Anything else a script should not rely on.

login-required      401     `login_url`, which comes back to Billing
choose              409     `choices`: of each customer `customer`, `name`, `role` and `url`, which opens it
no-access           403
prefetch            403     asked for ahead of a click
method-not-allowed  405
unavailable         503     `retry_after` in seconds, as in the header; `url`, which tries again
failed              502     trying again is unlikely to help

Under DEBUG, the last two have the `reason` that the log has.
"""

from typing import Any

from django.http import JsonResponse
from django.utils.translation import gettext as _

TYPE = "urn:problem-type:alguna-portal:"


def problem(kind: str, status: int, **more: Any) -> JsonResponse:
    """Answer with a problem document; `more` are the members of this kind alone."""
    title, detail = _texts(kind)
    document = {"type": TYPE + kind, "title": title, "status": status, "detail": detail}
    # RFC 9457 has no null: what is not known is left out.
    document |= {name: value for name, value in more.items() if value not in (None, "")}
    return JsonResponse(document, status=status, content_type="application/problem+json")


def _texts(kind: str) -> tuple[str, str]:
    """Return a title and a detail; the same as on the page, so that they are translated once."""
    match kind:
        case "login-required":
            return _("Sign in first"), _("Billing is open to people who are signed in.")
        case "choose":
            return _("Whose billing would you like to open?"), _("You belong to more than one company.")
        case "no-access":
            return _("You can't open billing"), _(
                "Your account has no access to the billing of a company here. Ask a colleague who manages billing to "
                "give you access, and then try again."
            )
        case "prefetch":
            return _("Not opened"), _("Billing is opened by a click, not ahead of it.")
        case "method-not-allowed":
            return _("Not opened"), _("Billing is opened by GET or POST.")
        case "unavailable":
            return _("Billing is not available right now"), _(
                "Our billing provider does not answer at the moment. Nothing was changed, and the rest of the site "
                "works as usual."
            )
        case _failed:
            return _("Billing could not be opened"), _(
                "Something is not set up right between us and our billing provider. Nothing was changed. Trying again "
                "is unlikely to help; we have taken note of the problem."
            )
